// The demonstration: from time to time a few writers add to every partition that is led here, and
// a checkpoint follows, so that logs stay short.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <kommander/raft_manager.hpp>

#include "options.hpp"

namespace kommander::server {

// Used by one thread: that of the manager's executor.
class DemoLoop {
 public:
  // Both must outlive Run.
  DemoLoop(RaftManager& raft, const Options& options);

  // Until it was asked to stop and its writers have ended.
  boost::asio::awaitable<void> Run();
  void Stop();

 private:
  boost::asio::awaitable<void> Wait(std::chrono::milliseconds time);
  boost::asio::awaitable<void> WriteTo(PartitionId partition);
  // In words.
  boost::asio::awaitable<std::string> Checkpoint(PartitionId partition);
  boost::asio::awaitable<void> RunWriter(PartitionId partition, std::uint64_t writer);

  RaftManager& raft_;
  const Options& options_;
  boost::asio::steady_timer timer_;
  bool stops_ = false;
  std::uint64_t written_ = 0;  // in this round
  std::uint64_t failed_ = 0;
};

}  // namespace kommander::server
