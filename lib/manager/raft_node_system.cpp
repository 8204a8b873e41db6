// The system partition's part of a node: its commands are folded into roster, partition map and
// settings in log order on every node; whoever leads it proposes what is missing. User partitions
// start from the map, never from local configuration.
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include "cluster/system_command.hpp"
#include "manager/raft_node.hpp"
#include "runtime/completions.hpp"

namespace kommander {
namespace asio = boost::asio;

void RaftNode::OnSystemCommand(LogIndex index, Payload command) {
  Post([index, command = std::move(command)](RaftNode& self) {
    self.ApplySystemCommand(index, command);
  });
}

// The commands before it were posted before it, so whoever waits for them finds what they did.
void RaftNode::OnSystemApplied(LogIndex index) {
  Post([index](RaftNode& self) {
    auto refused = std::exchange(self.refused_, {});
    if (auto* actor = self.Find(kSystemPartition))
      actor->OnSystemApplied(index, std::move(refused));
  });
}

// The commands before the mark were posted before it.
void RaftNode::OnSystemMark(runtime::CutPoint point) {
  Post([point = std::move(point)](RaftNode& self) mutable {
    if (self.life_ != Life::kRunning) return;
    point.system = self.system_.Serialize();
    if (auto* actor = self.Find(kSystemPartition)) actor->OnCutPoint(std::move(point));
  });
}

// Also while the node stops: callers are still told what became of theirs.
void RaftNode::ApplySystemCommand(LogIndex index, const Payload& command) {
  using Change = cluster::SystemState::Change;
  const Change change = system_.Apply(command.bytes(), index);
  if (change == Change::kTooManySettings) {
    refused_.push_back({index, RaftErrc::TooManySettings});
  } else if (change == Change::kSettingIsAnother) {
    refused_.push_back({index, RaftErrc::SettingChanged});
  }
  if (cluster::SystemState::IsChange(change) && life_ == Life::kRunning) ConsiderSystem();
}

void RaftNode::OnSystemInstalled(Payload state) {
  Post([state = std::move(state)](RaftNode& self) {
    if (self.system_.Restore(state.bytes())) {
      if (self.life_ == Life::kRunning) self.ConsiderSystem();
      return;
    }
    self.OnPartitionDamaged(kSystemPartition, RaftErrc::SnapshotCorrupted);
  });
}

// The system partition's state is another one.
void RaftNode::ConsiderSystem() {
  RefreshCounts();
  UpdateAddresses();
  PublishSystem();
  // Under its own incarnation in the roster this node is who the cluster takes it for.
  if (system_.roster().PinOf(identity_.node) == identity_.incarnation) {
    gate_->Open();
    ConsiderGate();
  }
  CreateMissingPartitions();
  ConsiderInitialized();
  ConsiderSystemProposal();
}

// For whoever asks from another thread, and for the application's handlers. What a restart only
// finds again is no news.
void RaftNode::PublishSystem() {
  const bool is_news = !restoring_.contains(kSystemPartition);
  runtime::PartitionActor* actor = is_news ? Find(kSystemPartition) : nullptr;
  if (system_.partitions() != map()->records()) {
    map_.store(std::make_shared<const PartitionMap>(system_.partitions()));
    if (actor != nullptr) actor->NotifyMap(*map());
  }
  if (system_.roster().members() != membership()->members()) {
    membership_.store(std::make_shared<const Membership>(system_.roster().members()));
    if (actor != nullptr) actor->NotifyMembership(*membership());
  }
  if (system_.settings() != settings()->settings()) {
    settings_.store(std::make_shared<const ClusterSettings>(system_.settings()));
    if (actor != nullptr) actor->NotifySettings(settings());
  }
}

// Those of one file set with one write; where one has failed, nothing is written any more.
void RaftNode::CreateMissingPartitions() {
  std::map<std::size_t, std::vector<std::pair<PartitionId, Configuration>>> missing;
  for (const cluster::PartitionRecord& record : system_.partitions()) {
    const std::size_t file_set = FileSetOf(record.id);
    if (creating_.contains(file_set) || failed_sets_.contains(file_set)) continue;
    if (Find(record.id) != nullptr) continue;
    missing[file_set].emplace_back(record.id, Configuration(record.voters));
  }
  for (auto& [file_set, partitions] : missing) CreatePartitionsOf(file_set, std::move(partitions));
}

void RaftNode::CreatePartitionsOf(std::size_t file_set,
                                  std::vector<std::pair<PartitionId, Configuration>> missing) {
  creating_.insert(file_set);
  const PartitionId first = missing.front().first;
  const error_code error =
      services_->io->SubmitTask(first, [self = shared_from_this(), file_set,
                                        missing = std::move(missing)](Wal& wal, bool cancelled) {
        OpenedStore created;
        if (cancelled) {
          created.error = RaftErrc::NodeStopped;
        } else {
          created = CreatePartitions(wal, missing);
        }
        self->Post([file_set, created = std::move(created)](RaftNode& node) mutable {
          node.OnPartitionsCreated(file_set, std::move(created));
        });
      });
  if (error) creating_.erase(file_set);  // the next tick tries again
}

void RaftNode::OnPartitionsCreated(std::size_t file_set, OpenedStore created) {
  creating_.erase(file_set);
  if (life_ == Life::kStopping) {
    if (creating_.empty()) StopPartitions();
    return;
  }
  if (created.error) {
    FinishJoin(created.error, "partitions cannot be created: " + created.detail);
    return FailStore(PartitionId(static_cast<std::uint32_t>(file_set)), created.error,
                     "new partitions");
  }
  for (OpenedStore::Partition& partition : created.partitions) {
    StartPartition(std::move(partition), true);
  }
  CreateMissingPartitions();
  ConsiderInitialized();
}

void RaftNode::OnPartitionLeader(PartitionId partition, NodeId, bool is_ready_here) {
  if (partition != kSystemPartition) return;
  Post([is_ready_here](RaftNode& self) {
    self.leads_system_ = is_ready_here;
    self.ConsiderSystemProposal();
  });
}

// One proposal at a time; a failed one is tried again at the next tick. A command that lost a race
// against another leader's changes nothing when it is applied.
void RaftNode::ConsiderSystemProposal() {
  if (!leads_system_ || system_proposal_open_ || life_ != Life::kRunning) return;
  const auto pin_of = [this](NodeId node) {
    if (node == identity_.node) return identity_.incarnation;
    const auto found = pins_.find(node);
    return found == pins_.end() ? Incarnation() : found->second;
  };
  if (!system_.roster().IsKnown()) {
    std::vector<cluster::RosterMember> members;
    for (const NodeId node : identity_.system_configuration.voters) {
      members.emplace_back(node, pin_of(node));
    }
    return ProposeSystem(cluster::EncodeInitialise(
        members, cluster::CutEvenly(services_->configuration.initial_partitions(),
                                    identity_.system_configuration.voters)));
  }
  for (const cluster::RosterMember& member : system_.roster().members()) {
    if (member.incarnation) continue;
    if (const Incarnation seen = pin_of(member.node)) {
      return ProposeSystem(cluster::EncodePin(member.node, seen));
    }
  }
}

void RaftNode::ProposeSystem(Payload command) {
  system_proposal_open_ = true;
  auto done = [self = weak_from_this()](error_code, ReplicateResult) {
    const auto node = self.lock();
    if (!node) return;
    node->Post([](RaftNode& strand_node) { strand_node.system_proposal_open_ = false; });
  };
  auto operation = detail::MakeOperation<ReplicateResult>(std::move(done), services_->executor, {});
  detail::EncodedBody body = detail::EncodeBody(cluster::kSystemType, command);
  // Applied before it is answered: the next decision sees what this one has changed.
  detail::StartReplicate(*this, std::move(operation), kSystemPartition, std::move(body),
                         ReplicateOptions().AwaitApply());
}

void RaftNode::AddMember(NodeId node, Duration timeout, std::function<void(error_code)> done) {
  auto answer = [done = std::move(done)](error_code error, ReplicateResult) { done(error); };
  auto operation =
      detail::MakeOperation<ReplicateResult>(std::move(answer), services_->executor, {});
  detail::EncodedBody body =
      detail::EncodeBody(cluster::kSystemType, cluster::EncodeAddMember(node));
  // Applied before it is answered: this node talks to the new one from then on.
  detail::StartReplicate(*this, std::move(operation), kSystemPartition, std::move(body),
                         ReplicateOptions().Timeout(timeout).AwaitApply());
}

void RaftNode::Reconfigure(PartitionId partition, Configuration target, Duration timeout,
                           std::function<void(error_code)> done) {
  auto operation =
      detail::MakeOperation<detail::NoResult>(std::move(done), services_->executor, {});
  if (runtime::PartitionActor* actor = Find(partition)) {
    actor->Submit(
        runtime::ReconfigureEvent{std::move(operation), std::move(target), Deadline(timeout)});
    return;
  }
  runtime::PostCompletion(std::move(operation), Absence());
}

}  // namespace kommander
