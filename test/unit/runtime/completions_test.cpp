// Answers reach callers posted, in order, past a handler that throws.
#include "runtime/completions.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>

#include "catch.hpp"

namespace asio = boost::asio;
using kommander::error_code;
using kommander::detail::MakeOperation;
using kommander::runtime::Completions;

TEST_CASE("handlers run later, in order, on their executor") {
  asio::io_context context;
  std::string told;
  Completions completions;
  for (char name : {'a', 'b', 'c'}) {
    completions.Add(MakeOperation<int>([&told, name](error_code, int) { told += name; },
                                       context.get_executor(), {}));
  }
  completions.Flush();
  REQUIRE(told.empty());
  REQUIRE(context.poll() == 1);  // one runner for the three
  REQUIRE(told == "abc");
}

TEST_CASE("a cancellation wakes whoever waits once for each of its kinds") {
  struct Sink final : kommander::detail::CancelSink {
    void OnCancel(std::shared_ptr<kommander::detail::Operation>) noexcept override { ++woken; }
    int woken = 0;
  };
  asio::io_context context;
  const auto sink = std::make_shared<Sink>();
  const auto operation = MakeOperation<int>([](error_code, int) {}, context.get_executor(), sink);
  for (int i = 0; i < 3; ++i) operation->RequestCancel(asio::cancellation_type::total);
  CHECK(sink->woken == 1);
  for (int i = 0; i < 3; ++i) operation->RequestCancel(asio::cancellation_type::terminal);
  CHECK(sink->woken == 2);
  CHECK(operation->cancel_requested() ==
        (asio::cancellation_type::total | asio::cancellation_type::terminal));
}

TEST_CASE("one runner per distinct executor") {
  asio::io_context context;
  auto first = asio::make_strand(context);
  auto second = asio::make_strand(context);
  int on_first = 0;
  int on_second = 0;
  Completions completions;
  for (int i = 0; i < 4; ++i) {
    completions.Add(MakeOperation<int>(
        asio::bind_executor(
            first, [&](error_code, int) { on_first += first.running_in_this_thread() ? 1 : 0; }),
        context.get_executor(), {}));
    completions.Add(MakeOperation<int>(
        asio::bind_executor(
            second, [&](error_code, int) { on_second += second.running_in_this_thread() ? 1 : 0; }),
        context.get_executor(), {}));
  }
  completions.Flush();
  context.run();
  REQUIRE(on_first == 4);
  REQUIRE(on_second == 4);
}

TEST_CASE("a handler that throws takes nobody with it") {
  asio::io_context context;
  int called = 0;
  Completions completions;
  for (int i = 0; i < 5; ++i) {
    completions.Add(MakeOperation<int>(
        [&called](error_code, int) {
          if (++called % 2 == 0) throw std::runtime_error("a caller's defect");
        },
        context.get_executor(), {}));
  }
  completions.Flush();
  int thrown = 0;
  while (called < 5) {
    try {
      context.restart();
      context.run();
    } catch (const std::runtime_error&) {
      ++thrown;
    }
  }
  REQUIRE(called == 5);
  REQUIRE(thrown == 2);
}

TEST_CASE("an operation keeps its context running until it is answered") {
  asio::io_context context;
  auto operation = MakeOperation<int>([](error_code, int) {}, context.get_executor(), {});
  context.poll();
  REQUIRE_FALSE(context.stopped());
  kommander::runtime::PostCompletion(std::move(operation));
  context.run();
  REQUIRE(context.stopped());
}
