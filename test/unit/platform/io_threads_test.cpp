#include "platform/io_threads.hpp"

#include <array>
#include <atomic>
#include <latch>
#include <memory>
#include <pthread.h>
#include <signal.h>
#include <string>
#include <thread>

#include "catch.hpp"

using kommander::platform::IoThreads;

TEST_CASE("I/O threads run beside each other and are joined", "[io_threads]") {
  std::atomic<int> ended{0};
  std::latch together(3);
  IoThreads threads;
  for (int i = 0; i < 3; ++i) {
    REQUIRE_FALSE(threads.Start("kmd-test", [&] {
      together.arrive_and_wait();  // ends only when all three run at once
      ++ended;
    }));
  }
  CHECK(threads.size() == 3);
  threads.JoinAll();
  CHECK(ended == 3);
  CHECK(threads.size() == 0);
  threads.JoinAll();  // nothing left
}

TEST_CASE("The destructor of a group joins", "[io_threads]") {
  std::atomic<bool> ended{false};
  {
    IoThreads threads;
    REQUIRE_FALSE(threads.Start("kmd-test", [&] { ended = true; }));
  }
  CHECK(ended);
}

TEST_CASE("A thread has its name, cut to what the kernel takes", "[io_threads]") {
  std::array<char, 32> name{};
  IoThreads threads;
  REQUIRE_FALSE(threads.Start("kmd-name-longer-than-15-bytes", [&] {
    pthread_getname_np(pthread_self(), name.data(), name.size());
  }));
  threads.JoinAll();
  CHECK(std::string(name.data()) == "kmd-name-longer");
}

TEST_CASE("Signals for the process stay with the application's threads", "[io_threads]") {
  sigset_t inside;
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_BLOCK, nullptr, &before);
  IoThreads threads;
  REQUIRE_FALSE(threads.Start("kmd-test", [&] { pthread_sigmask(SIG_BLOCK, nullptr, &inside); }));
  threads.JoinAll();
  pthread_sigmask(SIG_BLOCK, nullptr, &after);
  CHECK(sigismember(&inside, SIGTERM) == 1);
  CHECK(sigismember(&inside, SIGINT) == 1);
  CHECK(sigismember(&inside, SIGSEGV) == 0);
  CHECK(sigismember(&after, SIGTERM) == sigismember(&before, SIGTERM));
}

TEST_CASE("A group that ends on one of its own threads lets that thread go", "[io_threads]") {
  struct Shared {  // outlives this test in the thread that nobody waits for
    std::latch handed_over{1};
    std::latch ended{1};
    std::unique_ptr<IoThreads> threads = std::make_unique<IoThreads>();
  };
  const auto shared = std::make_shared<Shared>();
  REQUIRE_FALSE(shared->threads->Start("kmd-test", [shared] {
    shared->handed_over.wait();
    shared->threads.reset();  // would wait for itself
    shared->ended.count_down();
  }));
  shared->handed_over.count_down();
  shared->ended.wait();
  CHECK(shared->threads == nullptr);
}

TEST_CASE("What a body owns is gone once its thread is joined", "[io_threads]") {
  auto owned = std::make_shared<int>(7);
  const std::weak_ptr<int> watch = owned;
  IoThreads threads;
  REQUIRE_FALSE(threads.Start("kmd-test", [kept = std::move(owned)] {}));
  threads.JoinAll();
  CHECK(watch.expired());
}
