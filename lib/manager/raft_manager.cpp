#include <string>
#include <utility>

#include <boost/system/system_error.hpp>

#include <kommander/raft_manager.hpp>

#include "cluster/system_command.hpp"
#include "codec/entry_body.hpp"
#include "manager/raft_node.hpp"
#include "runtime/completions.hpp"

namespace kommander {
namespace {

using runtime::PostCompletion;

RaftConfiguration Checked(RaftConfiguration configuration, const Wal* wal,
                          const Transport* transport) {
  std::vector<std::string> problems = configuration.Validate();
  if (wal == nullptr) problems.emplace_back("wal: is null");
  if (transport == nullptr) problems.emplace_back("transport: is null");
  if (problems.empty()) return configuration;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  throw boost::system::system_error(RaftErrc::InvalidConfiguration, text);
}

}  // namespace

namespace detail {

EncodedBody EncodeBody(std::string_view type, const Payload& payload) {
  EncodedBody encoded;
  const codec::EntryBodyItem item(type, payload);
  encoded.error = codec::EncodeEntryBody({&item, 1}, encoded.body);
  encoded.count = 1;
  if (type == cluster::kSystemType) encoded.is_reserved = true;
  return encoded;
}

EncodedBody EncodeBody(const Batch& batch) {
  EncodedBody encoded;
  std::vector<codec::EntryBodyItem> items;
  items.reserve(batch.items().size());
  for (const Batch::Item& item : batch.items()) {
    items.emplace_back(item.type, item.payload);
    if (item.type == cluster::kSystemType) encoded.is_reserved = true;
  }
  encoded.error = items.empty() ? error_code(RaftErrc::InvalidArgument)
                                : codec::EncodeEntryBody(items, encoded.body);
  encoded.count = static_cast<std::uint32_t>(items.size());
  return encoded;
}

std::weak_ptr<CancelSink> SinkOf(const std::shared_ptr<RaftNode>& node, PartitionId partition) {
  runtime::PartitionActor* actor = node->Find(partition);
  return actor == nullptr ? std::weak_ptr<CancelSink>() : actor->weak_from_this();
}

void StartReplicate(RaftNode& node, ReplicateOperation operation, PartitionId partition,
                    EncodedBody body, ReplicateOptions options) {
  const RaftConfiguration& configuration = node.services().configuration;
  if (body.error) return PostCompletion(std::move(operation), body.error);
  if (body.body.size() + kEntryOverheadBytes > configuration.entry_bytes_max()) {
    return PostCompletion(std::move(operation), RaftErrc::ProposalTooLarge);
  }
  runtime::PartitionActor* actor = node.Find(partition);
  if (actor == nullptr) return PostCompletion(std::move(operation), node.Absence());
  runtime::ProposeEvent event;
  event.operation = std::move(operation);
  event.body = std::move(body.body);
  event.count = body.count;
  event.deadline = node.Deadline(options.timeout().value_or(configuration.proposal_timeout()));
  event.await_apply = options.await_apply();
  actor->Submit(std::move(event));
}

void StartRead(RaftNode& node, ReadOperation operation, PartitionId partition,
               ReadOptions options) {
  runtime::PartitionActor* actor = node.Find(partition);
  if (actor == nullptr) return PostCompletion(std::move(operation), node.Absence());
  const Duration timeout = options.timeout().value_or(node.services().configuration.read_timeout());
  actor->Submit(runtime::ReadEvent{std::move(operation), node.Deadline(timeout)});
}

void StartWaitForLeader(RaftNode& node, LeaderOperation operation, PartitionId partition) {
  runtime::PartitionActor* actor = node.Find(partition);
  if (actor == nullptr) return PostCompletion(std::move(operation), node.Absence());
  actor->Submit(
      runtime::LeaderEvent{std::move(operation), nullptr,
                           node.Deadline(node.services().configuration.leader_timeout())});
}

void StartAmILeader(RaftNode& node, BoolOperation operation, PartitionId partition) {
  runtime::PartitionActor* actor = node.Find(partition);
  if (actor == nullptr) return PostCompletion(std::move(operation), node.Absence());
  actor->Submit(
      runtime::LeaderEvent{nullptr, std::move(operation),
                           node.Deadline(node.services().configuration.leader_timeout())});
}

void StartTransfer(RaftNode& node, PlainOperation operation, PartitionId partition, NodeId target) {
  runtime::PartitionActor* actor = node.Find(partition);
  if (actor == nullptr) return PostCompletion(std::move(operation), node.Absence());
  actor->Submit(runtime::TransferEvent{std::move(operation), target});
}

void StartStepDown(RaftNode& node, PlainOperation operation, PartitionId partition) {
  runtime::PartitionActor* actor = node.Find(partition);
  if (actor == nullptr) return PostCompletion(std::move(operation), node.Absence());
  actor->Submit(runtime::StepDownEvent{std::move(operation)});
}

void StartJoin(const std::shared_ptr<RaftNode>& node, PlainOperation operation) {
  node->Join(std::move(operation));
}

void StartStop(const std::shared_ptr<RaftNode>& node, PlainOperation operation) {
  node->Stop(std::move(operation));
}

}  // namespace detail

RaftManager::RaftManager(executor_type executor, RaftConfiguration configuration,
                         std::shared_ptr<Wal> wal, std::shared_ptr<Transport> transport,
                         std::shared_ptr<Discovery> discovery)
    : RaftManager(std::move(executor), std::move(configuration), std::move(wal),
                  std::move(transport), std::move(discovery), RaftDependencies()) {}

RaftManager::RaftManager(executor_type executor, RaftConfiguration configuration,
                         std::shared_ptr<Wal> wal, std::shared_ptr<Transport> transport,
                         std::shared_ptr<Discovery> discovery, RaftDependencies dependencies)
    : executor_(executor),
      node_(std::make_shared<RaftNode>(
          std::move(executor), Checked(std::move(configuration), wal.get(), transport.get()), wal,
          transport, std::move(discovery), std::move(dependencies))) {}

RaftManager::~RaftManager() { node_->Abandon(); }

RaftManager& RaftManager::OnLogRestored(Handler<RaftLog> handler) {
  node_->handlers().log_restored = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnReplicationReceived(Handler<RaftLog> handler) {
  node_->handlers().replication_received = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnReplicationError(Handler<RaftLog> handler) {
  node_->handlers().replication_error = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnLeaderChanged(Handler<PartitionId, NodeId> handler) {
  node_->handlers().leader_changed = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnRestoreStarted(Handler<PartitionId> handler) {
  node_->handlers().restore_started = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnRestoreFinished(Handler<PartitionId> handler) {
  node_->handlers().restore_finished = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnNodeError(Handler<error_code, std::string> handler) {
  node_->handlers().node_error = std::move(handler);
  return *this;
}

bool RaftManager::AmILeaderQuick(PartitionId partition) const noexcept {
  const runtime::PartitionActor* actor = node_->Find(partition);
  if (actor == nullptr) return false;
  const PartitionStatus status = actor->Status();
  return status.role == Role::kLeader && status.ready;
}

NodeId RaftManager::GetPartitionLeaderHint(PartitionId partition) const noexcept {
  return Status(partition).leader;
}

NodeId RaftManager::id() const noexcept { return node_->services().configuration.id(); }
bool RaftManager::IsInitialized() const noexcept { return node_->IsInitialized(); }
std::string RaftManager::JoinDetail() const { return node_->join_detail(); }
std::vector<PartitionId> RaftManager::Partitions() const { return node_->Partitions(); }

PartitionStatus RaftManager::Status(PartitionId partition) const noexcept {
  if (const runtime::PartitionActor* actor = node_->Find(partition)) return actor->Status();
  PartitionStatus absent;
  absent.partition = partition;
  return absent;
}

IoStatistics RaftManager::GetIoStatistics() const noexcept {
  return node_->services().io->Statistics();
}
WalStatistics RaftManager::GetWalStatistics() const noexcept { return node_->wal()->Statistics(); }
TransportStatistics RaftManager::GetTransportStatistics() const noexcept {
  return node_->services().transport->Statistics();
}

std::weak_ptr<detail::CancelSink> RaftManager::LifeSink() const { return node_; }

}  // namespace kommander
