#include "runtime/partition_observer.hpp"

#include <string>

namespace kommander::runtime {
namespace {

std::uint64_t Milliseconds(Duration duration) noexcept {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

bool Campaigns(raft::RoleKind role) noexcept {
  return role == raft::RoleKind::kPreCandidate || role == raft::RoleKind::kCandidate;
}

}  // namespace

void PartitionObserver::OnStep(const raft::CoreStatus& status, const raft::Ledger& ledger) {
  meters_.uncommitted_bytes.Set(status.uncommitted_bytes);
  meters_.open_tickets.Set(ledger.open_tickets().size());
  meters_.open_sessions.Set(ledger.session_count());
  const raft::CoreStatus before = std::exchange(last_, status);
  Logger& log = services_.logger;
  const std::uint64_t term = status.term.value();
  // A candidate of a new term campaigns anew; from a pre-vote to its vote it is the same campaign.
  if (Campaigns(status.role) && (!Campaigns(before.role) || status.term != before.term)) {
    meters_.campaigns.Add();
    log.Log(LogLevel::kInfo, "campaign", partition_,
            {{"term", term}, {"role", raft::ToString(status.role)}});
  }
  const bool leads = status.role == raft::RoleKind::kLeader;
  const bool led = before.role == raft::RoleKind::kLeader;
  if (leads && (!led || status.term != before.term)) {
    meters_.leaderships.Add();
    log.Log(
        LogLevel::kInfo, "became_leader", partition_,
        {{"term", term}, {"last", status.last.value()}, {"committed", status.committed.value()}});
  } else if (led && !leads) {
    log.Log(LogLevel::kInfo, "lost_leadership", partition_, {{"term", term}});
  }
  if (status.leader != before.leader) {
    if (status.leader) meters_.leader_changes.Add();
    log.Log(LogLevel::kInfo, status.leader ? "leader" : "leader_unknown", partition_,
            {{"term", term}, {"leader", std::uint64_t{status.leader.value()}}});
  }
}

void PartitionObserver::OnUnitsWritten(UnitId unit, Instant now) {
  const Duration slow = services_.configuration.slow_write();
  for (; !units_.empty() && units_.front().first <= unit; units_.pop_front()) {
    const Duration took = now - units_.front().second;
    meters_.durable_latency.Add(took);
    if (slow == Duration::zero() || took < slow) continue;
    services_.logger.Log(LogLevel::kWarning, "slow_write", partition_,
                         {{"unit", units_.front().first.value()}, {"ms", Milliseconds(took)}});
  }
}

void PartitionObserver::OnPushedBack(std::string_view bound) {
  services_.logger.LogAspect(LogLevel::kWarning, "pushed_back", bound, partition_,
                             {{"bound", bound}});
}

void PartitionObserver::OnRefused(const raft::Completion& refusal, bool is_write) {
  // What was appended before it was refused ran ahead of its session.
  const bool is_judged = refusal.term != Term();
  switch (*refusal.error) {
    case RaftErrc::ProposalQueueFull:
      return OnPushedBack(!is_write ? "callers" : is_judged ? "session_window" : "uncommitted");
    case RaftErrc::TooManyOpenTickets: return OnPushedBack("open_tickets");
    case RaftErrc::TooManySessions: return OnPushedBack("open_sessions");
    default: return;
  }
}

void PartitionObserver::OnExpired(std::size_t tickets, std::size_t sessions) {
  Logger& log = services_.logger;
  if (tickets != 0)
    log.Log(LogLevel::kWarning, "tickets_expired", partition_, {{"count", tickets}});
  if (sessions != 0)
    log.Log(LogLevel::kInfo, "sessions_expired", partition_, {{"count", sessions}});
}

void PartitionObserver::OnStorageFailed(const error_code& error) {
  services_.logger.Log(LogLevel::kError, "storage_failed", partition_,
                       {{"error", error.message()}});
}

void PartitionObserver::OnLogCut(LogIndex boundary) {
  meters_.log_cuts.Add();
  services_.logger.Log(LogLevel::kDebug, "log_cut", partition_, {{"boundary", boundary.value()}});
}

void PartitionObserver::OnSnapshotTaken(const error_code& error, LogIndex index) {
  if (error) {
    meters_.snapshots_failed.Add();
    services_.logger.Log(LogLevel::kWarning, "snapshot_failed", partition_,
                         {{"error", error.message()}});
    return;
  }
  meters_.snapshots_taken.Add();
  services_.logger.Log(LogLevel::kInfo, "snapshot_taken", partition_, {{"index", index.value()}});
}

void PartitionObserver::OnSnapshotReceived(NodeId from, LogIndex index) {
  meters_.snapshots_received.Add();
  services_.logger.Log(LogLevel::kInfo, "snapshot_received", partition_,
                       {{"from", std::uint64_t{from.value()}}, {"index", index.value()}});
}

void PartitionObserver::OnSnapshotSent(NodeId to, LogIndex index, bool succeeded) {
  (succeeded ? meters_.snapshots_sent : meters_.snapshots_not_sent).Add();
  services_.logger.Log(succeeded ? LogLevel::kInfo : LogLevel::kWarning,
                       succeeded ? "snapshot_sent" : "snapshot_not_sent", partition_,
                       {{"to", std::uint64_t{to.value()}}, {"index", index.value()}});
}

void PartitionObserver::OnSnapshotImpossible(NodeId peer) {
  meters_.snapshots_not_sent.Add();
  services_.logger.Log(LogLevel::kWarning, "snapshot_impossible", partition_,
                       {{"to", std::uint64_t{peer.value()}}});
}

void PartitionObserver::OnSnapshotRefused() {
  meters_.snapshots_refused.Add();
  services_.logger.Log(LogLevel::kWarning, "snapshot_refused", partition_);
}

}  // namespace kommander::runtime
