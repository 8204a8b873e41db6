// The mailbox: bounds, order of lanes, one wake-up, closing.
#include "runtime/mailbox.hpp"

#include <functional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include "catch.hpp"

using kommander::runtime::Mailbox;
using kommander::runtime::MailboxLimits;
using kommander::runtime::Pushed;
namespace asio = boost::asio;

namespace {

MailboxLimits Limits(std::size_t requests, std::size_t bytes, std::size_t messages) {
  MailboxLimits limits;
  limits.requests_max = requests;
  limits.request_bytes_max = limits.message_bytes_max = bytes;
  limits.messages_max = messages;
  return limits;
}

// What every message weighs where bytes do not matter.
std::size_t One(int) { return 1; }

template <class Event>
Pushed Push(Mailbox<Event>& mailbox, std::type_identity_t<Event> event, std::size_t bytes) {
  return mailbox.PushRequest(event, bytes);
}

}  // namespace

TEST_CASE("a request finds a place or is refused untouched") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(2, 100, 1));
  REQUIRE(Push(mailbox, 1, 10) == Pushed::kAccepted);
  REQUIRE(Push(mailbox, 2, 10) == Pushed::kAccepted);
  REQUIRE(Push(mailbox, 3, 10) == Pushed::kFull);
  std::vector<int> control;
  std::vector<int> data;
  mailbox.Take(control, data);
  REQUIRE(data == std::vector<int>{1, 2});
  REQUIRE(Push(mailbox, 4, 10) == Pushed::kAccepted);
}

TEST_CASE("bytes bound the request lane, but a single request of any size fits") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(10, 100, 1));
  REQUIRE(Push(mailbox, 1, 500) == Pushed::kAccepted);
  REQUIRE(Push(mailbox, 2, 1) == Pushed::kFull);
  std::vector<int> control;
  std::vector<int> data;
  mailbox.Take(control, data);
  REQUIRE(Push(mailbox, 3, 60) == Pushed::kAccepted);
  REQUIRE(Push(mailbox, 4, 60) == Pushed::kFull);
  REQUIRE(Push(mailbox, 5, 40) == Pushed::kAccepted);
}

TEST_CASE("messages above the bound are dropped and counted, requests keep their place") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(1, 100, 3));
  std::vector<int> messages{1, 2, 3, 4, 5};
  REQUIRE(mailbox.PushMessages(messages.begin(), messages.end(), One) == 2);
  REQUIRE(Push(mailbox, 9, 1) == Pushed::kAccepted);
  std::vector<int> control;
  std::vector<int> data;
  mailbox.Take(control, data);
  REQUIRE(data == std::vector<int>{1, 2, 3, 9});
}

TEST_CASE(
    "messages above the bound in bytes are dropped, but an empty lane takes one of any size") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(1, 100, 10));
  const auto itself = [](int message) { return static_cast<std::size_t>(message); };
  std::vector<int> messages{500, 1};
  REQUIRE(mailbox.PushMessages(messages.begin(), messages.end(), itself) == 1);
  std::vector<int> control;
  std::vector<int> data;
  mailbox.Take(control, data);
  REQUIRE(data == std::vector<int>{500});
  messages = {60, 50, 40, 1};  // what was taken does not count any more
  REQUIRE(mailbox.PushMessages(messages.begin(), messages.end(), itself) == 2);
  mailbox.Take(control, data);
  REQUIRE(data == std::vector<int>{60, 40});
}

TEST_CASE("control is a lane of its own without a bound") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(1, 1, 1));
  for (int i = 0; i < 1000; ++i) REQUIRE(mailbox.PushControl(int{i}) == Pushed::kAccepted);
  std::vector<int> control;
  std::vector<int> data;
  mailbox.Take(control, data);
  REQUIRE(control.size() == 1000);
  REQUIRE(data.empty());
}

TEST_CASE("a waiter is woken once for everything that came before it runs") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(10, 1000, 10));
  int woken = 0;
  mailbox.Wait([&] { ++woken; });
  REQUIRE(context.poll() == 0);
  Push(mailbox, 1, 1);
  Push(mailbox, 2, 1);
  mailbox.PushControl(3);
  REQUIRE(woken == 0);  // posted, never inline
  context.restart();
  context.poll();
  REQUIRE(woken == 1);
}

TEST_CASE("a wait on a mailbox that holds something completes, but not inline") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(10, 1000, 10));
  mailbox.PushControl(1);
  int woken = 0;
  mailbox.Wait([&] { ++woken; });
  REQUIRE(woken == 0);
  context.poll();
  REQUIRE(woken == 1);
}

TEST_CASE("a closed mailbox refuses everything and keeps what it has") {
  asio::io_context context;
  Mailbox<int> mailbox(context.get_executor(), Limits(10, 1000, 10));
  Push(mailbox, 1, 1);
  mailbox.Close();
  REQUIRE(Push(mailbox, 2, 1) == Pushed::kClosed);
  REQUIRE(mailbox.PushControl(3) == Pushed::kClosed);
  std::vector<int> messages{4};
  REQUIRE(mailbox.PushMessages(messages.begin(), messages.end(), One) == 1);
  std::vector<int> control;
  std::vector<int> data;
  mailbox.Take(control, data);
  REQUIRE(data == std::vector<int>{1});
}

TEST_CASE("nothing is lost or reordered between producers on other threads and one consumer") {
  constexpr int kProducers = 3;
  constexpr int kEach = 20000;
  asio::io_context context;
  Mailbox<std::pair<int, int>> mailbox(context.get_executor(),
                                       Limits(kProducers * kEach, 1u << 30, 1));
  std::vector<int> next(kProducers, 0);
  int taken = 0;
  std::vector<std::pair<int, int>> control;
  std::vector<std::pair<int, int>> data;
  bool in_order = true;
  std::function<void()> consume = [&] {
    mailbox.Take(control, data);
    for (const auto& [producer, number] : data) {
      in_order = in_order && next[static_cast<std::size_t>(producer)]++ == number;
    }
    taken += static_cast<int>(data.size());
    if (taken < kProducers * kEach) mailbox.Wait([&] { consume(); });
  };
  mailbox.Wait([&] { consume(); });
  auto work = asio::make_work_guard(context);
  std::vector<std::thread> threads;
  for (int p = 0; p < kProducers; ++p) {
    threads.emplace_back([&mailbox, p] {
      for (int i = 0; i < kEach; ++i) Push(mailbox, {p, i}, 1);
    });
  }
  while (taken < kProducers * kEach) context.run_one();
  for (std::thread& thread : threads) thread.join();
  REQUIRE(in_order);
  REQUIRE(taken == kProducers * kEach);
}
