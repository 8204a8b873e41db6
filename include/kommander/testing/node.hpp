// What an application is made from, each time that its node starts.
//
// The application does with it what it does in production: it keeps the RaftManager&, registers its
// handlers, and answers calls. The simulation joins and stops the manager. Everything runs on one
// thread, on raft().get_executor(), in virtual time; ready functions run in no order that anybody
// may rely on, as on a pool of threads.
//
// An application under test starts no thread, opens no socket, and waits through clock(): a timer
// of Asio's own would wait for real time, and the run ends with a message that says so. Its
// destructor leaves the manager alone: when the power goes, the manager is the first to go.
#pragma once

#include <memory>
#include <utility>

#include <kommander/clock.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/testing/random.hpp>

namespace kommander::testing {

class Node {
 public:
  Node(RaftManager& raft, std::shared_ptr<Clock> clock, Random random)
      : raft_(&raft), clock_(std::move(clock)), random_(random) {}
  [[nodiscard]] NodeId id() const noexcept { return raft_->id(); }
  [[nodiscard]] RaftManager& raft() const noexcept { return *raft_; }
  // Virtual time as this node sees it.
  [[nodiscard]] const std::shared_ptr<Clock>& clock() const noexcept { return clock_; }
  // Another stream for every start.
  [[nodiscard]] Random& random() noexcept { return random_; }

 private:
  RaftManager* raft_;
  std::shared_ptr<Clock> clock_;
  Random random_;
};

}  // namespace kommander::testing
