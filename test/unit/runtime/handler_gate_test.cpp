// The gate: none in after it is closed, and those inside are waited for, oneself excepted.
#include "runtime/handler_gate.hpp"

#include <atomic>
#include <latch>
#include <thread>

#include "catch.hpp"

using kommander::runtime::HandlerGate;

TEST_CASE("a closed gate lets nobody in") {
  HandlerGate gate;
  REQUIRE(HandlerGate::Pass(gate));
  gate.Close();
  REQUIRE_FALSE(HandlerGate::Pass(gate));
}

TEST_CASE("close waits for a handler on another thread") {
  HandlerGate gate;
  std::latch inside(1);
  std::latch may_leave(1);
  std::atomic<bool> left{false};
  std::thread handler([&] {
    const HandlerGate::Pass pass(gate);
    inside.count_down();
    may_leave.wait();
    left.store(true);
  });
  inside.wait();
  std::thread releaser([&] { may_leave.count_down(); });
  gate.Close();
  REQUIRE(left.load());
  handler.join();
  releaser.join();
}

TEST_CASE("a handler may close the gate that it is inside of, also nested in another's") {
  HandlerGate outer;
  HandlerGate inner;
  const HandlerGate::Pass first(outer);
  const HandlerGate::Pass second(inner);
  inner.Close();
  outer.Close();
  REQUIRE_FALSE(HandlerGate::Pass(outer));
}
