// The frame of a step: inputs in order, then time, then one decision about everything that is owed.
#include "raft/core.hpp"

#include <algorithm>
#include <utility>

#include <kommander/assert.hpp>

#include "raft/core_impl.hpp"

namespace kommander::raft {
namespace {

CoreOptions WithDefaults(CoreOptions options) {
  KOMMANDER_ASSERT(options.self, "a node has an id");
  KOMMANDER_ASSERT(options.election_timeout.count() > 0, "the election timeout is positive");
  if (options.heartbeat_interval.count() == 0) {
    options.heartbeat_interval = std::max(options.election_timeout / 6, Duration(1));
  }
  if (options.stall_max.count() == 0) options.stall_max = 2 * options.election_timeout;
  KOMMANDER_ASSERT(options.mark_entries != 0, "a mark comes now and then");
  return options;
}

// Different per partition, node and process life, so that neither elections run in step nor a late
// answer fits a request of an earlier life.
std::uint64_t MixSeed(const CoreOptions& options, Instant now) {
  std::uint64_t seed = Random::Mix(options.seed);
  seed = Random::Mix(seed ^ options.partition.value());
  seed = Random::Mix(seed ^ (std::uint64_t{options.self.value()} << 32));
  return Random::Mix(seed ^ static_cast<std::uint64_t>(now.time_since_epoch().count()));
}

HardState RecoveredHardState(const RecoveredPartition& recovered) {
  const Term last_term =
      recovered.terms.empty() ? recovered.boundary.term : recovered.terms.back().term;
  // The log alone may prove a newer term, in which nobody has been voted for.
  if (last_term > recovered.hard_state.term) return {last_term, NodeId()};
  if (KOMMANDER_MUTANT(vote_forgotten_at_restart)) return {recovered.hard_state.term, NodeId()};
  return recovered.hard_state;
}

}  // namespace

Core::Impl::Impl(CoreOptions options, RecoveredPartition&& recovered, LogIndex applied_from,
                 Instant now)
    : options_(WithDefaults(std::move(options))),
      random_(MixSeed(options_, now)),
      now_(now),
      term_(RecoveredHardState(recovered).term),
      vote_(RecoveredHardState(recovered).vote),
      log_({recovered.boundary.index, recovered.boundary.term}, recovered.last_index,
           std::move(recovered.terms)),
      members_(recovered.boundary.index, recovered.boundary.configuration),
      units_(recovered.last_index),
      application_floor_(recovered.application.floor),
      written_to_(recovered.last_index) {
  for (const Entry& entry : recovered.configuration_entries) {
    auto configuration = DecodeConfiguration(entry.body.bytes());
    KOMMANDER_ASSERT(configuration, "recovery has looked at every configuration");
    members_.Append(entry.index, *std::move(configuration));
  }
  const LogIndex boundary = recovered.boundary.index;
  committed_ = std::max(
      boundary, std::min(std::max(recovered.commit_hint, applied_from), recovered.last_index));
  if (KOMMANDER_MUTANT(recovered_log_is_committed)) committed_ = recovered.last_index;
  hinted_ = recovered.commit_hint;
  start_floor_ = std::max(boundary, applied_from);
  handed_off_ = applied_ = boundary;
  KOMMANDER_ASSERT(ledger_.Restore(recovered.boundary.ledger.bytes()),
                   "recovery has looked at the ledger");
  stamp_ = std::max(ledger_.greatest_stamp(), recovered.greatest_stamp);
  // Never wraps. Another life begins elsewhere.
  if (!KOMMANDER_MUTANT(read_numbers_repeat)) read_number_ = random_.Next() >> 1;
  DrawElectionDeadline();
}

void Core::Impl::Step(std::span<Input> inputs, Instant now, Effects& effects) {
  effects.Clear();
  effects_ = &effects;
  now_ = std::max(now_, now);
  const CoreStatus before = Status();
  for (Input& input : inputs) Take(input);
  if (!stopped_) {
    OnTime();
    Finish();
  }
  const CoreStatus after = Status();
  effects.role_changed =
      before.role != after.role || before.term != after.term || before.leader != after.leader;
  effects_ = nullptr;
}

void Core::Impl::Take(Input& input) {
  std::visit([this](auto& body) { On(body); }, input);
}

void Core::Impl::On(Receive& input) {
  if (!stopped_) Dispatch(input.message);
}

void Core::Impl::On(Persisted& input) {
  if (stopped_ || failed_) return;
  if (units_.Answer(input.unit)) ReleaseDeferred();
}

void Core::Impl::On(StorageFailure& input) {
  if (stopped_ || failed_) return;
  failed_ = true;
  failure_ = input.reason;
  step_deferred_.clear();
  deferred_.clear();
  EndAll(failure_);
  if (AsLeader() != nullptr || std::holds_alternative<Candidate>(role_)) BecomeFollower(NodeId());
}

void Core::Impl::On(Enable& input) { enabled_ = input.enabled; }

void Core::Impl::On(SuspendHeartbeats& input) { heartbeats_suspended_ = input.suspended; }

void Core::Impl::On(Tick&) {}

void Core::Impl::On(Stop&) {
  if (stopped_) return;
  EndAll(RaftErrc::NodeStopped);
  if (AsLeader() != nullptr || std::holds_alternative<Candidate>(role_)) BecomeFollower(NodeId());
  stopped_ = true;
}

void Core::Impl::OnTime() {
  if (AsLeader() == nullptr && now_ >= election_deadline_) OnElectionDeadline();
  if (fetch_wanted_ && now_ >= fetch_retry_at_) fetch_wanted_ = false;
  if (now_ >= shrink_at_) {
    log_.ShrinkIdle();
    shrink_at_ = now_ + options_.election_timeout;
  }
}

void Core::Impl::Finish() {
  CloseReadBatch();
  if (AsLeader() != nullptr) {
    AdvanceCommit();
    OnConfigurationsCommitted();
  }
  if (Leader* leader = AsLeader(); leader != nullptr && now_ >= leader->heartbeat_due) {
    OnHeartbeatDue(*leader);
  }
  if (Leader* leader = AsLeader()) {
    SettleReads(*leader);
    PursueTransfer(*leader);
    ExpireForOthers(*leader);
  }
  IssueWrite();
  SettleDeferred();
  if (Leader* leader = AsLeader()) {
    SendAppends(*leader);
  } else {
    SendAck();
    AskForReads();
  }
  FreeQuota();
  CompleteWrites();
  SettleChanges();
  WithdrawRequests();
  ExpireRequests();
  HandOff();
  if (std::exchange(mark_wanted_, false)) Mark(true);
  CompleteJudged();
  TrimCache();
  fetched_.clear();
}

void Core::Impl::IssueWrite() {
  const LogIndex last = log_.last();
  const bool wanted = hard_state_dirty_ || new_boundary_ || truncate_from_ || written_to_ < last ||
                      (options_.writes_commits && std::min(committed_, last) > hinted_);
  if (!wanted || failed_) return;
  WriteUnit& unit = effects_->write.emplace();
  unit.partition = options_.partition;
  unit.boundary = std::exchange(new_boundary_, std::nullopt);
  unit.drop_log = std::exchange(drop_log_, false);
  unit.truncate_from = std::exchange(truncate_from_, std::nullopt);
  if (KOMMANDER_MUTANT(truncation_unwritten)) unit.truncate_from.reset();
  CollectEntries(unit);
  if (committed_ > hinted_) unit.commit_hint = hinted_ = std::min(committed_, last);
  unit.application = std::exchange(application_, std::nullopt);
  unit.unit = units_.Issue(last, now_);
  if (std::exchange(hard_state_dirty_, false)) {
    const bool half = KOMMANDER_MUTANT(vote_in_a_second_unit) && unit.unit.value() % 2 == 1;
    unit.hard_state = HardState{term_, half ? NodeId() : vote_};
    if (half) hard_state_dirty_ = true;
    hard_state_unit_ = unit.unit;
  }
}

void Core::Impl::CollectEntries(WriteUnit& unit) {
  const LogIndex last = log_.last();
  unit.entries.reserve(LogIndex::Distance(written_to_, last));
  while (written_to_ < last) {
    written_to_ = written_to_.Next();
    const Entry* entry = log_.Find(written_to_);
    KOMMANDER_ASSERT(entry != nullptr, "unwritten entries are in memory");
    unit.entries.push_back(*entry);
  }
}

// Asked the same again meanwhile, a node answers once.
void Core::Impl::Defer(NodeId to, MessageBody body) {
  const auto is_same = [&](const Deferred& waiting) {
    return waiting.message.to == to && waiting.message.body.index() == body.index();
  };
  if (std::any_of(step_deferred_.begin(), step_deferred_.end(), is_same)) return;
  for (std::size_t i = 0; i < deferred_.size(); ++i) {
    if (is_same(deferred_[i])) return;
  }
  step_deferred_.push_back(
      {UnitId(), Message(options_.partition, options_.self, to, term_, std::move(body))});
}

// What this step promised waits for the newest unit issued so far, this step's or an earlier one's:
// all that the promise rests on is in one of them.
void Core::Impl::SettleDeferred() {
  for (Deferred& deferred : step_deferred_) {
    deferred.unit = units_.issued();
    deferred_.push_back(std::move(deferred));
  }
  step_deferred_.clear();
  if (units_.IsIdle()) ReleaseDeferred();
}

void Core::Impl::ReleaseDeferred() {
  while (!deferred_.empty() && deferred_.front().unit <= units_.answered()) {
    Message message = std::move(deferred_.front().message);
    deferred_.pop_front();
    const auto* candidate = std::get_if<Candidate>(&role_);
    const bool campaigning = candidate != nullptr && !candidate->pre_vote;
    if (message.to == options_.self) {
      if (campaigning) CountVote(options_.self, true);
      continue;
    }
    if (std::holds_alternative<VoteRequest>(message.body) && !campaigning) continue;
    effects_->messages.push_back(std::move(message));
  }
  if (deferred_.empty()) deferred_.Shrink(0);
}

void Core::Impl::Send(NodeId to, MessageBody body) { SendAs(term_, to, std::move(body)); }

void Core::Impl::SendAs(Term term, NodeId to, MessageBody body) {
  effects_->messages.emplace_back(options_.partition, options_.self, to, term, std::move(body));
}

bool Core::Impl::IsStalled() const noexcept {
  if (failed_) return true;
  const auto oldest = units_.OldestIssue();
  return oldest && now_ - *oldest >= options_.stall_max;
}

Core::Core(CoreOptions options, RecoveredPartition recovered, LogIndex applied_from, Instant now)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(recovered), applied_from, now)) {}
Core::~Core() = default;

void Core::Step(std::span<Input> inputs, Instant now, Effects& effects) {
  impl_->Step(inputs, now, effects);
}
Instant Core::NextDeadline() const noexcept { return impl_->NextDeadline(); }
CoreStatus Core::Status() const noexcept { return impl_->Status(); }
const Ledger& Core::ledger() const noexcept { return impl_->ledger(); }
const Configuration& Core::ActiveConfiguration() const noexcept {
  return impl_->configurations().active();
}
const Configuration& Core::CommittedConfiguration() const noexcept {
  return impl_->configurations().At(impl_->committed());
}
const Configuration& Core::ConfigurationAt(LogIndex index) const noexcept {
  return impl_->configurations().At(index);
}
Term Core::TermAt(LogIndex index) const noexcept {
  return index == impl_->log().boundary().index ? Term() : impl_->log().TermAt(index);
}
void Core::ReadPeers(std::vector<PeerStatus>& peers) const { impl_->ReadPeers(peers); }
std::vector<std::string> Core::DescribePeers() const { return impl_->DescribePeers(); }
void Core::CheckInvariants() const { impl_->CheckInvariants(); }

}  // namespace kommander::raft
