#include <string>
#include <utility>

#include <boost/system/system_error.hpp>

#include <kommander/raft_manager.hpp>

#include "manager/raft_node.hpp"

namespace kommander {
namespace {

RaftConfiguration Checked(RaftConfiguration configuration, const Wal* wal,
                          const Transport* transport, const Discovery* discovery) {
  std::vector<std::string> problems = configuration.Validate();
  for (const NodeAddress& member : configuration.initial_members()) {
    const bool is_left_open = member.endpoint == Endpoint() && member.id != configuration.id();
    if (discovery != nullptr || !is_left_open) continue;
    problems.push_back("initial_members: node " + std::to_string(member.id.value()) +
                       " has no address, and there is no discovery");
  }
  if (wal == nullptr) problems.emplace_back("wal: is null");
  if (transport == nullptr) problems.emplace_back("transport: is null");
  if (problems.empty()) return configuration;
  std::string text;
  for (const std::string& problem : problems) text += (text.empty() ? "" : "\n") + problem;
  throw boost::system::system_error(RaftErrc::InvalidConfiguration, text);
}

}  // namespace

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
          std::move(executor),
          Checked(std::move(configuration), wal.get(), transport.get(), discovery.get()), wal,
          transport, discovery, std::move(dependencies))) {}

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

RaftManager& RaftManager::OnPartitionMapChanged(Handler<PartitionMap> handler) {
  node_->handlers().partition_map_changed = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnMembershipChanged(Handler<Membership> handler) {
  node_->handlers().membership_changed = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnClusterSettingsChanged(Handler<ClusterSettings> handler) {
  node_->handlers().settings_changed = std::move(handler);
  return *this;
}
RaftManager& RaftManager::OnDurableIndex(
    std::function<std::optional<LogIndex>(PartitionId)> provider) {
  node_->handlers().durable_index = std::move(provider);
  return *this;
}

RaftManager& RaftManager::UseStateMachine(std::shared_ptr<StateMachine> machine) {
  node_->UseStateMachine(std::move(machine));
  return *this;
}
RaftManager& RaftManager::UseSnapshots(std::shared_ptr<SnapshotStore> snapshots) {
  node_->UseSnapshots(std::move(snapshots));
  return *this;
}
RaftManager& RaftManager::UseLogSink(LogSink sink, LogLevel least) {
  node_->UseLogSink(std::move(sink), least);
  return *this;
}

void RaftManager::SetMinRetainIndex(PartitionId partition, LogIndex first) {
  if (runtime::PartitionActor* actor = node_->Find(partition)) actor->KeepFrom(first);
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
const std::string& RaftManager::cluster_id() const noexcept {
  return node_->services().configuration.cluster_id();
}
bool RaftManager::IsInitialized() const noexcept { return node_->IsInitialized(); }
std::string RaftManager::JoinDetail() const { return node_->join_detail(); }
std::vector<PartitionId> RaftManager::Partitions() const { return node_->Partitions(); }

PartitionStatus RaftManager::Status(PartitionId partition) const noexcept {
  if (const runtime::PartitionActor* actor = node_->Find(partition)) return actor->Status();
  PartitionStatus absent;
  absent.partition = partition;
  return absent;
}

std::vector<PeerStatus> RaftManager::GetPeers(PartitionId partition) const {
  const runtime::PartitionActor* actor = node_->Find(partition);
  return actor == nullptr ? std::vector<PeerStatus>() : actor->Peers();
}

PartitionStatistics RaftManager::GetPartitionStatistics(PartitionId partition) const noexcept {
  if (const runtime::PartitionActor* actor = node_->Find(partition)) return actor->Statistics();
  PartitionStatistics absent;
  absent.partition = partition;
  return absent;
}
NodeStatistics RaftManager::GetNodeStatistics() const noexcept { return node_->Statistics(); }
IoStatistics RaftManager::GetIoStatistics() const noexcept {
  return node_->services().io->Statistics();
}
WalStatistics RaftManager::GetWalStatistics() const noexcept { return node_->wal()->Statistics(); }
TransportStatistics RaftManager::GetTransportStatistics() const noexcept {
  return node_->services().transport->Statistics();
}

std::optional<PartitionId> RaftManager::GetPartitionKey(std::string_view key) const noexcept {
  return GetPrefixPartitionKey(PartitionPrefix(key));
}
std::optional<PartitionId> RaftManager::GetPrefixPartitionKey(
    std::string_view prefix) const noexcept {
  return node_->map()->PartitionOf(PartitionHash(prefix));
}
PartitionMap RaftManager::GetPartitionMap() const { return *node_->map(); }
Membership RaftManager::GetMembership() const { return *node_->membership(); }
ClusterSettings RaftManager::GetClusterSettings() const { return *node_->settings(); }
std::optional<ClusterSetting> RaftManager::GetClusterSetting(std::string_view name) const {
  const std::shared_ptr<const ClusterSettings> settings = node_->settings();
  const ClusterSetting* setting = settings->Find(name);
  return setting == nullptr ? std::nullopt : std::optional(*setting);
}

std::weak_ptr<detail::CancelSink> RaftManager::LifeSink() const { return node_; }

}  // namespace kommander
