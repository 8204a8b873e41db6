// The application under test: a counter that every node keeps, as a service would contain it. It
// knows nothing of tests.
//
// Whoever got no answer asks again, and must not be counted twice: which requests were carried out
// belongs to the state that the log stands for, and is decided where a request is applied. With
// KOMMANDER_EXAMPLE_BUG the node that answered remembers it, which spares the log a repetition and
// holds for as long as no node fails between the log and the answer.
#pragma once

#include <cstdint>
#include <map>
#include <sstream>
#include <string>

#include <boost/asio/awaitable.hpp>

#include <kommander/kommander.hpp>

class Counter {
 public:
  explicit Counter(kommander::RaftManager& raft) : raft_(raft) {
    const auto apply = [this](const kommander::RaftLog& log) { return Apply(log); };
    raft_.OnLogRestored(apply);
    raft_.OnReplicationReceived(apply);
  }

  // On the leader. A client numbers its requests from 1, and repeats one until it has an answer.
  // The sum includes `number` once, and perhaps what others added meanwhile.
  boost::asio::awaitable<std::int64_t> Add(std::uint32_t client, std::uint64_t request,
                                           std::int64_t number) {
#ifdef KOMMANDER_EXAMPLE_BUG
    if (request <= last_[client]) co_return co_await Read();
#endif
    std::ostringstream text;
    text << client << ' ' << request << ' ' << number;
    const kommander::Payload payload(text.str());
    co_await raft_.ReplicateLogs(1, "add", payload, kommander::ReplicateOptions().AwaitApply());
#ifdef KOMMANDER_EXAMPLE_BUG
    last_[client] = request;
#endif
    co_return sum_;
  }
  // On any node: the sum after everything that was added before the call.
  boost::asio::awaitable<std::int64_t> Read() {
    co_await raft_.ReadBarrier(1);
    co_return sum_;
  }
  std::int64_t sum() const noexcept { return sum_; }

 private:
  bool Apply(const kommander::RaftLog& log) {
    std::istringstream text{std::string(log.payload().text())};
    std::uint32_t client = 0;
    std::uint64_t request = 0;
    std::int64_t number = 0;
    if (!(text >> client >> request >> number)) return false;
#ifndef KOMMANDER_EXAMPLE_BUG
    if (request <= last_[client]) return true;
    last_[client] = request;
#endif
    sum_ += number;
    return true;
  }

  kommander::RaftManager& raft_;
  std::int64_t sum_ = 0;
  std::map<std::uint32_t, std::uint64_t> last_;  // the last request of each client that counts
};
