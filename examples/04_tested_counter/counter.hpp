// The application under test: a counter that every node keeps, as a service would contain it. It
// knows nothing of tests.
//
// With KOMMANDER_EXAMPLE_BUG it has a defect that looks like an optimisation: a leader answers
// reads from its own memory. A leader that was cut off, or paused, does not know that it is none
// any more; and a new one may not have carried out yet what the old one acknowledged.
#pragma once

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/asio/awaitable.hpp>

#include <kommander/kommander.hpp>

class Counter {
 public:
  explicit Counter(kommander::RaftManager& raft) : raft_(raft) {
    const auto add = [this](const kommander::RaftLog& log) { return Apply(log); };
    raft_.OnLogRestored(add);
    raft_.OnReplicationReceived(add);
  }

  // On the leader. The sum includes `number`, and perhaps what others added meanwhile.
  boost::asio::awaitable<std::int64_t> Add(std::int64_t number) {
    const kommander::Payload text(std::to_string(number));
    co_await raft_.ReplicateLogs(1, "add", text, kommander::ReplicateOptions().AwaitApply());
    co_return sum_;
  }
  // On any node: the sum after everything that was added before the call.
  boost::asio::awaitable<std::int64_t> Read() {
#ifdef KOMMANDER_EXAMPLE_BUG
    if (raft_.AmILeaderQuick(1)) co_return sum_;
#endif
    co_await raft_.ReadBarrier(1);
    co_return sum_;
  }
  std::int64_t sum() const noexcept { return sum_; }

 private:
  bool Apply(const kommander::RaftLog& log) {
    const std::string_view text = log.payload().text();
    std::int64_t number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ec != std::errc()) {
      return false;
    }
    sum_ += number;
    return true;
  }

  kommander::RaftManager& raft_;
  std::int64_t sum_ = 0;
};
