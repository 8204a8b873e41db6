// The list of invariants, and the hand-out of events.
#include "checker.hpp"

#include "invariants/acknowledged_is_committed.hpp"
#include "invariants/acknowledged_is_durable.hpp"
#include "invariants/applied_in_bounds.hpp"
#include "invariants/awaited_is_applied.hpp"
#include "invariants/committed_agreement.hpp"
#include "invariants/committed_is_durable.hpp"
#include "invariants/committed_is_kept.hpp"
#include "invariants/digest_agreement.hpp"
#include "invariants/durable_is_synced.hpp"
#include "invariants/elected_by_quorum.hpp"
#include "invariants/election_safety.hpp"
#include "invariants/hint_is_committed.hpp"
#include "invariants/holds_are_kept.hpp"
#include "invariants/interface_contracts.hpp"
#include "invariants/leader_append_only.hpp"
#include "invariants/leader_completeness.hpp"
#include "invariants/linearizability.hpp"
#include "invariants/linearizable_reads.hpp"
#include "invariants/log_bounds.hpp"
#include "invariants/log_matching.hpp"
#include "invariants/monotonic_progress.hpp"
#include "invariants/nothing_in_silence.hpp"
#include "invariants/one_change_at_a_time.hpp"
#include "invariants/promises_are_synced.hpp"
#include "invariants/refused_has_no_effect.hpp"
#include "invariants/state_machine_safety.hpp"
#include "invariants/tickets_settled_once.hpp"
#include "invariants/vote_immutability.hpp"

namespace kommander::sim {

namespace {

constexpr std::size_t kViolationsKept = 20;

bool IsSame(const PartitionStatus& a, const PartitionStatus& b) noexcept {
  return a.applied == b.applied && a.committed == b.committed && a.durable == b.durable &&
         a.last == b.last && a.term == b.term && a.role == b.role && a.leader == b.leader &&
         a.ready == b.ready && a.failed == b.failed && a.digest == b.digest && a.first == b.first &&
         a.checkpoint == b.checkpoint && a.floor == b.floor;
}

}  // namespace

std::string_view ToString(OperationKind kind) noexcept {
  switch (kind) {
    case OperationKind::kWrite: return "write";
    case OperationKind::kRead: return "read";
    case OperationKind::kTransfer: return "transfer";
    case OperationKind::kStepDown: return "step-down";
    case OperationKind::kWaitForLeader: return "wait for a leader";
    case OperationKind::kReconfigure: return "reconfiguration";
    case OperationKind::kJoin: return "join";
    case OperationKind::kStop: return "stop";
    case OperationKind::kPrepare: return "prepared write";
    case OperationKind::kDecide: return "decision";
    case OperationKind::kOpenSession: return "open a session";
    case OperationKind::kCloseSession: return "close a session";
    case OperationKind::kSessionWrite: return "write of a session";
    case OperationKind::kCheckpoint: return "checkpoint";
    case OperationKind::kHold: return "hold";
    case OperationKind::kLetGo: return "let go";
  }
  return "?";
}

template <class T, class... Arguments>
T& Checker::Add(Arguments&&... arguments) {
  auto invariant = std::make_unique<T>(std::forward<Arguments>(arguments)...);
  T& added = *invariant;
  added.Attach(facts_,
               [this](std::string_view name, std::string what) { Report(name, std::move(what)); });
  invariants_.push_back(std::move(invariant));
  return added;
}

Checker::Checker() {
  Add<LogMatching>(facts_);
  Add<ElectionSafety>();
  Add<ElectedByQuorum>();
  Add<VoteImmutability>();
  Add<LeaderCompleteness>();
  Add<LeaderAppendOnly>();
  deliveries_ = &Add<StateMachineSafety>();
  Add<MonotonicProgress>();
  Add<CommittedAgreement>();
  Add<CommittedIsKept>();
  Add<CommittedIsDurable>();
  Add<HintIsCommitted>();
  Add<AcknowledgedIsDurable>();
  places_ = &Add<AcknowledgedIsCommitted>();
  Add<RefusedHasNoEffect>();
  Add<TicketsSettledOnce>();
  Add<LogBounds>();
  Add<HoldsAreKept>();
  Add<AppliedInBounds>();
  Add<AwaitedIsApplied>();
  Add<DurableIsSynced>();
  Add<PromisesAreSynced>();
  Add<DigestAgreement>();
  Add<OneChangeAtATime>();
  Add<NothingInSilence>();
  Add<LinearizableReads>();
  registers_ = &Add<Linearizability>();
  Add<InterfaceContracts>();
}

Checker::~Checker() = default;

void Checker::OnSubmitted(NodeId node, const WriteUnit& unit) {
  facts_.Submitted(node, unit);
  for (const auto& invariant : invariants_) invariant->OnSubmitted(node, unit);
}

void Checker::OnSynced(NodeId node, const WriteUnit& unit) {
  facts_.Synced(node, unit);
  for (const auto& invariant : invariants_) invariant->OnSynced(node, unit);
}

void Checker::OnRecovered(NodeId node, PartitionId partition, const RecoveredPartition& recovered) {
  facts_.Recovered(node, partition);
  for (const auto& invariant : invariants_) invariant->OnRecovered(node, partition, recovered);
}

void Checker::OnSent(NodeId node, const Message& message) {
  for (const auto& invariant : invariants_) invariant->OnSent(node, message);
}

void Checker::OnContractBroken(NodeId node, const std::string& what) {
  for (const auto& invariant : invariants_) invariant->OnContractBroken(node, what);
}

void Checker::AddDisk(NodeId node, std::shared_ptr<SimDisk> disk) {
  facts_.AddDisk(node, std::move(disk));
}

void Checker::LifeBegan(NodeId node) {
  facts_.BeginLife(node);
  for (const auto& invariant : invariants_) invariant->OnLifeBegan(node);
}

void Checker::Look(NodeId node, const PartitionStatus& status) {
  const PartitionStatus* known = facts_.Status(node, status.partition);
  if (known != nullptr && IsSame(*known, status)) return;
  PartitionStatus before;
  before.partition = status.partition;
  if (known != nullptr) before = *known;
  facts_.StatusChanged(node, status);
  for (const auto& invariant : invariants_) invariant->OnStatus(node, before, status);
}

void Checker::Delivered(NodeId node, const RaftLog& log, bool restored) {
  for (const auto& invariant : invariants_) invariant->OnDelivered(node, log, restored);
}

void Checker::StateReplaced(NodeId node, PartitionId partition, std::size_t count) {
  for (const auto& invariant : invariants_) invariant->OnStateReplaced(node, partition, count);
}

void Checker::Began(const ClientOperation& operation) {
  for (const auto& invariant : invariants_) invariant->OnBegan(operation);
}
void Checker::Ended(const ClientOperation& operation) {
  for (const auto& invariant : invariants_) invariant->OnEnded(operation);
}
void Checker::EndedAgain(const ClientOperation& operation) {
  for (const auto& invariant : invariants_) invariant->OnEndedAgain(operation);
}
void Checker::Overdue(const ClientOperation& operation) {
  for (const auto& invariant : invariants_) invariant->OnOverdue(operation);
}
void Checker::RunEnded() {
  for (const auto& invariant : invariants_) invariant->OnRunEnded();
}

void Checker::Report(std::string_view invariant, std::string what) {
  if (!judged_.empty() && !judged_.contains(invariant)) return;
  ++violation_count_;
  if (violations_.size() < kViolationsKept) {
    violations_.push_back(Violation{std::string(invariant), std::move(what)});
  }
}

std::vector<std::string_view> Checker::InvariantNames() const {
  std::vector<std::string_view> names;
  for (const auto& invariant : invariants_) names.push_back(invariant->name());
  return names;
}

std::size_t Checker::DeliveredBy(NodeId node, PartitionId partition) const {
  return deliveries_->DeliveredBy(node, partition);
}
std::size_t Checker::DeliveredAnywhere(PartitionId partition) const {
  return deliveries_->Delivered(partition);
}
LogIndex Checker::PlaceOf(std::uint64_t operation) const { return places_->PlaceOf(operation); }
std::size_t Checker::Judged() const noexcept { return registers_->judged(); }

}  // namespace kommander::sim
