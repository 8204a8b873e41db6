// The compiled side of RaftManager's operations: what a call says becomes an event of its
// partition's actor, or is answered at once.
#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>
#include <string>
#include <utility>

#include <kommander/raft_manager.hpp>

#include "cluster/system_command.hpp"
#include "codec/entry_body.hpp"
#include "manager/raft_node.hpp"
#include "raft/entry_bodies.hpp"
#include "runtime/completions.hpp"

namespace kommander::detail {

using runtime::PostCompletion;

namespace {

EncodedBody EncodeItems(std::span<const codec::EntryBodyItem> items,
                        const SessionRequest& session) {
  EncodedBody encoded;
  std::array<std::byte, raft::kSessionHeaderBytes> header;
  if (session) {
    raft::EncodeSessionHeader({session.session(), session.sequence(), session.lowest_unanswered()},
                              header.data());
  }
  encoded.error =
      codec::EncodeEntryBody(items, encoded.body, session ? ByteSpan(header) : ByteSpan());
  encoded.count = static_cast<std::uint32_t>(items.size());
  for (const codec::EntryBodyItem& item : items) {
    if (item.type == cluster::kSystemType) encoded.is_reserved = true;
  }
  return encoded;
}

EntryKind KindOf(bool is_manual, bool is_of_session) noexcept {
  if (is_manual) return is_of_session ? EntryKind::kSessionPrepared : EntryKind::kPrepared;
  return is_of_session ? EntryKind::kSessionApplication : EntryKind::kApplication;
}

error_code Check(const RaftNode& node, const EncodedBody& body) {
  if (body.error) return body.error;
  const std::size_t bytes_max = node.services().configuration.entry_bytes_max();
  if (body.body.size() + kEntryOverheadBytes > bytes_max) return RaftErrc::ProposalTooLarge;
  return {};
}

// Options that mean nothing for a call are refused, lest somebody counts on them.
enum class Use : std::uint8_t { kManual, kSession, kForward, kVersion };
bool Fits(const ReplicateOptions& options, std::initializer_list<Use> uses) noexcept {
  const auto may = [&](Use use) { return std::find(uses.begin(), uses.end(), use) != uses.end(); };
  return (!options.manual() || may(Use::kManual)) && (!options.forward() || may(Use::kForward)) &&
         (!options.session() || may(Use::kSession)) &&
         (!options.expected_version() || may(Use::kVersion));
}

// A session's number means something in its own partition alone.
bool IsOf(const SessionRequest& session, PartitionId partition) noexcept {
  return !session || session.partition() == partition;
}

Instant DeadlineOf(const RaftNode& node, const ReplicateOptions& options) noexcept {
  return node.Deadline(
      options.timeout().value_or(node.services().configuration.proposal_timeout()));
}

// A proposal still without body.
runtime::ProposeEvent EventOf(const RaftNode& node, std::shared_ptr<Operation> operation,
                              const ReplicateOptions& options) noexcept {
  runtime::ProposeEvent event;
  event.operation = std::move(operation);
  event.deadline = DeadlineOf(node, options);
  event.expected_generation = options.expected_generation();
  event.await_apply = options.await_apply();
  event.forward = options.forward();
  return event;
}

// Hands the event to the partition's actor, or answers for it.
template <class Event>
void Submit(RaftNode& node, PartitionId partition, Event event) {
  if (runtime::PartitionActor* actor = node.Find(partition)) {
    return actor->Submit(std::move(event));
  }
  if constexpr (std::is_same_v<Event, runtime::LeaderEvent>) {
    if (event.who) return PostCompletion(std::move(event.who), node.Absence());
    PostCompletion(std::move(event.am_i), node.Absence());
  } else {
    PostCompletion(std::move(event.operation), node.Absence());
  }
}

}  // namespace

EncodedBody EncodeBody(std::string_view type, const Payload& payload,
                       const SessionRequest& session) {
  const codec::EntryBodyItem item(type, payload);
  return EncodeItems({&item, 1}, session);
}

EncodedBody EncodeBody(const Batch& batch, const SessionRequest& session) {
  std::vector<codec::EntryBodyItem> items;
  items.reserve(batch.items().size());
  for (const Batch::Item& item : batch.items()) items.emplace_back(item.type, item.payload);
  EncodedBody encoded;
  encoded.error = RaftErrc::InvalidArgument;
  return items.empty() ? encoded : EncodeItems(items, session);
}

std::weak_ptr<CancelSink> SinkOf(const std::shared_ptr<RaftNode>& node, PartitionId partition) {
  runtime::PartitionActor* actor = node->Find(partition);
  return actor == nullptr ? std::weak_ptr<CancelSink>() : actor->weak_from_this();
}

void StartReplicate(RaftNode& node, ReplicateOperation operation, PartitionId partition,
                    EncodedBody body, ReplicateOptions options) {
  error_code error = Check(node, body);
  const bool fits = Fits(options, {Use::kManual, Use::kSession, Use::kForward});
  if (!fits || !IsOf(options.session(), partition)) error = RaftErrc::InvalidArgument;
  if (error) return PostCompletion(std::move(operation), error);
  runtime::ProposeEvent event = EventOf(node, std::move(operation), options);
  event.kind = KindOf(options.manual(), static_cast<bool>(options.session()));
  event.body = std::move(body.body);
  event.count = body.count;
  Submit(node, partition, std::move(event));
}

void StartEntries(RaftNode& node, EntriesOperation operation, PartitionId partition,
                  EncodedBody committed, EncodedBody manual, bool is_ordered,
                  ReplicateOptions options) {
  const bool has_committed = committed.count != 0;
  const bool has_manual = manual.count != 0;
  const bool is_of_session = static_cast<bool>(options.session());
  // A request of a session is one entry, and so is what is handed to another node.
  const bool is_one = !has_committed || !has_manual;
  const bool fits = is_one ? Fits(options, {Use::kSession, Use::kForward}) : Fits(options, {});
  const bool is_wrong = !is_ordered || (!has_committed && !has_manual) || committed.is_reserved ||
                        manual.is_reserved || !fits || !IsOf(options.session(), partition);
  error_code error = is_wrong ? error_code(RaftErrc::InvalidArgument) : error_code();
  if (!error && has_committed) error = Check(node, committed);
  if (!error && has_manual) error = Check(node, manual);
  if (error) return PostCompletion(std::move(operation), error);
  runtime::ProposeEvent event = EventOf(node, std::move(operation), options);
  event.waits_as = runtime::Waiter::Kind::kEntries;
  event.kind = KindOf(has_manual, is_of_session);
  EncodedBody& last = has_manual ? manual : committed;
  event.body = std::move(last.body);
  event.count = last.count;
  if (has_manual && has_committed) {
    event.first = std::move(committed.body);
    event.first_count = committed.count;
  }
  Submit(node, partition, std::move(event));
}

void StartDecision(RaftNode& node, ReplicateOperation operation, PartitionId partition,
                   Ticket ticket, bool commits, ReplicateOptions options) {
  if (!Fits(options, {Use::kForward})) {
    return PostCompletion(std::move(operation), RaftErrc::InvalidArgument);
  }
  const raft::Decision decision = commits ? raft::Decision::kCommit : raft::Decision::kRollback;
  runtime::ProposeEvent event = EventOf(node, std::move(operation), options);
  event.kind = EntryKind::kDecision;
  event.body = raft::Encode(raft::DecisionBody{ticket, decision});
  Submit(node, partition, std::move(event));
}

void StartListTickets(RaftNode& node, TicketsOperation operation, PartitionId partition) {
  Submit(node, partition, runtime::ListTicketsEvent{std::move(operation)});
}

void StartCheckpoint(RaftNode& node, ReplicateOperation operation, PartitionId partition,
                     std::optional<LogIndex> covered, ReplicateOptions options) {
  if (!Fits(options, {})) {
    return PostCompletion(std::move(operation), RaftErrc::InvalidArgument);
  }
  Submit(node, partition,
         runtime::CheckpointEvent{std::move(operation), covered, DeadlineOf(node, options),
                                  options.expected_generation(), options.await_apply()});
}

EncodedBody EncodeSetting(std::string_view name, const Payload* value,
                          std::optional<LogIndex> expected) {
  // No entry has the greatest index: in the bytes of a command it says that any version will do.
  const bool is_wrong =
      !IsClusterSettingName(name) ||
      (value != nullptr && value->size() > kClusterSettingValueBytesMax) ||
      (expected && expected->value() == std::numeric_limits<std::uint64_t>::max());
  if (is_wrong) {
    EncodedBody none;
    none.error = RaftErrc::InvalidArgument;
    return none;
  }
  return EncodeBody(cluster::kSystemType,
                    value == nullptr ? cluster::EncodeRemoveSetting(name, expected)
                                     : cluster::EncodeSetSetting(name, value->bytes(), expected));
}

void StartSetting(RaftNode& node, ReplicateOperation operation, EncodedBody body,
                  ReplicateOptions options) {
  error_code error = body.error;
  if (!Fits(options, {Use::kForward, Use::kVersion})) error = RaftErrc::InvalidArgument;
  // The log has no place for settings before it has a roster.
  if (!error && node.membership()->members().empty()) error = RaftErrc::NodeIsNotReady;
  if (!error) error = Check(node, body);
  if (error) return PostCompletion(std::move(operation), error);
  runtime::ProposeEvent event = EventOf(node, std::move(operation), options);
  event.body = std::move(body.body);
  event.count = body.count;
  event.is_judged = true;
  Submit(node, kSystemPartition, std::move(event));
}

void StartHold(RaftNode& node, HoldOperation operation, PartitionId partition, LogIndex first) {
  Submit(node, partition, runtime::HoldEvent{std::move(operation), first});
}

namespace {

void SubmitSession(RaftNode& node, std::shared_ptr<Operation> operation, runtime::Waiter::Kind kind,
                   PartitionId partition, const raft::SessionBody& body,
                   const ReplicateOptions& options) {
  if (!Fits(options, {Use::kForward})) {
    return PostCompletion(std::move(operation), RaftErrc::InvalidArgument);
  }
  runtime::ProposeEvent event = EventOf(node, std::move(operation), options);
  event.waits_as = kind;
  event.kind = EntryKind::kSession;
  event.body = raft::Encode(body);
  Submit(node, partition, std::move(event));
}

}  // namespace

void StartOpenSession(RaftNode& node, SessionOperation operation, PartitionId partition,
                      ReplicateOptions options) {
  SubmitSession(node, std::move(operation), runtime::Waiter::Kind::kOpenSession, partition,
                raft::SessionBody(), options);
}

void StartCloseSession(RaftNode& node, PlainOperation operation, PartitionId partition,
                       SessionId session, ReplicateOptions options) {
  if (!session) return PostCompletion(std::move(operation), RaftErrc::SessionExpired);
  SubmitSession(node, std::move(operation), runtime::Waiter::Kind::kCloseSession, partition,
                {session, raft::SessionBody::kWhenever}, options);
}

void StartRead(RaftNode& node, ReadOperation operation, PartitionId partition,
               ReadOptions options) {
  const Duration timeout = options.timeout().value_or(node.services().configuration.read_timeout());
  Submit(node, partition,
         runtime::ReadEvent{std::move(operation), runtime::Waiter::Kind::kRead,
                            node.Deadline(timeout)});
}

void StartConfirm(RaftNode& node, BoolOperation operation, PartitionId partition,
                  ReadOptions options) {
  const Duration timeout = options.timeout().value_or(node.services().configuration.read_timeout());
  Submit(node, partition,
         runtime::ReadEvent{std::move(operation), runtime::Waiter::Kind::kConfirm,
                            node.Deadline(timeout)});
}

void StartWaitForStableLeader(RaftNode& node, LeaderOperation operation, PartitionId partition,
                              Duration stable_for, Duration timeout) {
  if (timeout == Duration::zero()) timeout = node.services().configuration.leader_timeout();
  Submit(node, partition,
         runtime::LeaderEvent{std::move(operation), nullptr, node.Deadline(timeout),
                              std::max(stable_for, Duration::zero())});
}

void StartSuspendHeartbeats(RaftNode& node, PlainOperation operation, PartitionId partition,
                            bool suspended) {
  Submit(node, partition, runtime::HeartbeatsEvent{std::move(operation), suspended});
}

void StartWaitForLeader(RaftNode& node, LeaderOperation operation, PartitionId partition) {
  const Duration timeout = node.services().configuration.leader_timeout();
  Submit(node, partition,
         runtime::LeaderEvent{std::move(operation), nullptr, node.Deadline(timeout), {}});
}

void StartAmILeader(RaftNode& node, BoolOperation operation, PartitionId partition) {
  const Duration timeout = node.services().configuration.leader_timeout();
  Submit(node, partition,
         runtime::LeaderEvent{nullptr, std::move(operation), node.Deadline(timeout), {}});
}

void StartTransfer(RaftNode& node, PlainOperation operation, PartitionId partition, NodeId target) {
  Submit(node, partition, runtime::TransferEvent{std::move(operation), target});
}

void StartStepDown(RaftNode& node, PlainOperation operation, PartitionId partition) {
  Submit(node, partition, runtime::StepDownEvent{std::move(operation)});
}

void StartJoin(const std::shared_ptr<RaftNode>& node, PlainOperation operation) {
  node->Join(std::move(operation));
}

void StartStop(const std::shared_ptr<RaftNode>& node, PlainOperation operation) {
  node->Stop(std::move(operation));
}

}  // namespace kommander::detail
