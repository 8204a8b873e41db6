// One node of a simulated cluster through all of its lives: a disk that stays, and per life a
// process with a whole RaftManager over the simulated seams.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <kommander/raft_manager.hpp>

#include "checker.hpp"
#include "cluster_options.hpp"
#include "features.hpp"
#include "sim_clock.hpp"
#include "sim_disk.hpp"
#include "sim_io_scheduler.hpp"
#include "sim_network.hpp"
#include "sim_state.hpp"
#include "world.hpp"

namespace kommander::sim {

// How the application of a node does; faults change it while it is used.
struct ApplyMood {
  std::uint32_t slow_permille = 0;  // of the deliveries take a while
  std::uint32_t fail_permille = 0;  // of the handlers return false or throw
  FaultMark slowed_by;
  FaultMark failed_by;
};

class SimNode {
 public:
  // `members` are those that the cluster began with; `copy` tells apart nodes that were given the
  // same id.
  SimNode(World& world, SimNetwork& network, Checker& checker, NodeId id,
          const ClusterOptions& options, std::vector<NodeAddress> members,
          std::shared_ptr<Discovery> discovery, std::uint32_t copy = 0);
  ~SimNode();
  SimNode(const SimNode&) = delete;
  SimNode& operator=(const SimNode&) = delete;

  // Down only.
  void Start();
  // The process ends between two of its functions; what was not synced is lost or not.
  void PowerLoss();
  // The manager is destroyed without Stop; its process goes on until the next start or Bury.
  void Abandon();
  // Stop, then the end. `done` is called once the process has ended; not after a PowerLoss.
  void Stop(std::function<void()> done);
  void SetPaused(bool paused);
  // The application does well from now on.
  void HealApply() noexcept { apply_ = ApplyMood(); }
  // Ends the processes of abandoned lives.
  void Bury();

  [[nodiscard]] NodeId id() const noexcept { return id_; }
  [[nodiscard]] std::uint64_t life() const noexcept { return life_; }
  // Null while down.
  [[nodiscard]] RaftManager* raft() const noexcept { return raft_.get(); }
  [[nodiscard]] bool IsUp() const noexcept { return raft_ != nullptr; }
  [[nodiscard]] bool IsStopping() const noexcept { return stopping_; }
  [[nodiscard]] bool IsPaused() const noexcept { return paused_; }
  // JoinCluster has ended with an error, or a partition's storage has failed.
  [[nodiscard]] bool IsBroken() const;
  [[nodiscard]] bool IsJoined() const noexcept { return join_ended_ && !join_error_; }
  // Whether any peer has let it in, in this life.
  [[nodiscard]] bool HasConversed() const {
    if (!transport_) return false;
    const TransportStatistics statistics = transport_->Statistics();
    return statistics.messages_sent + statistics.messages_received != 0;
  }
  // Whether it takes part in elections: its store tells that there is a cluster, or it has heard
  // so.
  [[nodiscard]] bool CanVote() const { return IsUp() ? had_log_ || IsJoined() : HasLog(); }
  [[nodiscard]] error_code join_error() const noexcept { return join_error_; }
  // When it last began to run, or to run again.
  [[nodiscard]] Instant running_since() const noexcept { return running_since_; }
  [[nodiscard]] const std::shared_ptr<SimDisk>& disk() const noexcept { return disk_; }
  [[nodiscard]] DiskMood& mood() noexcept { return *mood_; }
  [[nodiscard]] ApplyMood& apply() noexcept { return apply_; }
  [[nodiscard]] FeatureCounts features() const;
  [[nodiscard]] std::size_t proposal_bytes_peak() const noexcept { return proposal_bytes_peak_; }
  [[nodiscard]] SimClock& clock() noexcept { return *clock_; }
  [[nodiscard]] const std::shared_ptr<SimClock>& shared_clock() const noexcept { return clock_; }
  // The guest's, of the present life; null while down, and where there is no guest.
  [[nodiscard]] void* application() const noexcept { return raft_ ? application_.get() : nullptr; }
  // The process of the present life; null while down.
  [[nodiscard]] const ProcessRecord* process() const noexcept {
    return process_ ? &process_->record() : nullptr;
  }
  // Shows the public state to the checker.
  void Look();

 private:
  [[nodiscard]] RaftConfiguration MakeConfiguration() const;
  // Around those that the guest has registered, where there is one.
  void RegisterHandlers();
  [[nodiscard]] Handler<RaftLog> WrapHandler(Handler<RaftLog> inner, bool restored);
  class Machine;
  void UseState();
  bool Apply(const RaftLog& log, bool restored, std::uint64_t life);
  [[nodiscard]] bool HasOwnDisk() const noexcept {
    return options_.application == ApplicationKind::kOwnDisk;
  }
  boost::asio::awaitable<bool> Import(PartitionId partition, SnapshotSource& source,
                                      std::uint64_t life, ProcessRecord* process);
  bool DrawFailure();
  boost::asio::awaitable<bool> ApplySlowly(RaftLog log, bool restored, std::uint64_t life,
                                           ProcessRecord* process);
  boost::asio::awaitable<bool> ApplyOfGuest(RaftLog log, bool restored, std::uint64_t life,
                                            ProcessRecord* process,
                                            std::shared_ptr<Handler<RaftLog>> inner);
  // Whether the system partition has ever reached the disk.
  [[nodiscard]] bool HasLog() const;
  void EndLife();
  void EndProcess(std::unique_ptr<Process> process, std::shared_ptr<void> application);
  void OnStopped(std::uint64_t life);

  World& world_;
  SimNetwork& network_;
  Checker& checker_;
  const NodeId id_;
  const ClusterOptions options_;
  const std::vector<NodeAddress> members_;
  const std::shared_ptr<Discovery> discovery_;
  Chance chance_;
  std::shared_ptr<SimDisk> disk_;
  std::shared_ptr<DiskMood> mood_ = std::make_shared<DiskMood>();
  std::shared_ptr<SimClock> clock_;
  std::uint64_t life_ = 0;
  ApplyMood apply_;
  // Of the application, through all lives.
  SimState state_;
  std::shared_ptr<SnapshotStore> snapshots_;
  FeatureCounts features_{};

  // Of the present life.
  std::shared_ptr<void> application_;
  std::unique_ptr<Process> process_;
  std::shared_ptr<SimWal> wal_;
  std::shared_ptr<SimIoScheduler> io_;
  std::shared_ptr<SimTransport> transport_;
  std::unique_ptr<RaftManager> raft_;
  std::set<PartitionId> applying_;  // a handler of the partition is running
  std::function<void()> stopped_;
  Instant running_since_{};
  bool paused_ = false;
  bool stopping_ = false;
  bool join_ended_ = false;
  bool had_log_ = false;  // when it started
  error_code join_error_;
  // Of lives whose manager has gone and whose process has not.
  struct Remains {
    std::shared_ptr<void> application;
    std::unique_ptr<Process> process;
    std::shared_ptr<SimTransport> transport;
  };
  std::vector<Remains> remains_;
  std::size_t proposal_bytes_peak_ = 0;
};

}  // namespace kommander::sim
