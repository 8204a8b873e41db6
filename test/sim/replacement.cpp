// What an operator does, through leaders and patiently.
#include "replacement.hpp"

#include <algorithm>
#include <utility>

#include "codec/little_endian.hpp"
#include "fault_plan.hpp"
#include "invariants/quorum.hpp"
#include "manager/raft_node.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

namespace {

constexpr Duration kWorkInterval = 40ms;
constexpr Duration kAskTimeout = 2s;
// Asked again after this long: whoever was asked may have died.
constexpr Duration kAskAgain = 3s;

// What a store says of the nodes that it has met (docs/formats.md).
Incarnation PinOf(const SimDisk& disk, NodeId node) {
  const auto found = disk.metadata().find("pins");
  if (found == disk.metadata().end()) return {};
  codec::ByteReader reader(found->second.bytes());
  for (auto left = reader.Get<std::uint32_t>(); left > 0 && reader.ok(); --left) {
    const NodeId id(reader.Get<std::uint32_t>());
    const Incarnation incarnation(reader.Get<std::uint64_t>());
    if (id == node) return incarnation;
  }
  return {};
}

// Where the newest configuration begins that is known to be committed and in the log; one that the
// log begins with may be older than that.
LogIndex NewestSettled(const LogView& view, const std::vector<CommittedItem>& committed) {
  const auto& versions = view.configurations();
  const auto is_settled = [&](const LogView::Version& version) {
    if (version.index == view.base()) return true;
    if (version.index.value() > committed.size()) return false;
    const auto item = view.At(version.index);
    return item && item->chain == committed[version.index.value() - 1].chain;
  };
  return std::find_if(versions.rbegin(), versions.rend(), is_settled)->index;
}

// Whether the log has, or goes on from, what is committed at the index.
bool HasCommitted(const LogView& view, LogIndex index,
                  const std::vector<CommittedItem>& committed) {
  if (index <= view.base()) return true;
  const auto item = view.At(index);
  return item && index.value() <= committed.size() &&
         item->chain == committed[index.value() - 1].chain;
}

std::vector<NodeId> Exchange(std::vector<NodeId> list, NodeId from, NodeId to) {
  std::replace(list.begin(), list.end(), from, to);
  return list;
}

}  // namespace

Replacement::Replacement(World& world, SimNetwork& network, Checker& checker,
                         std::vector<std::unique_ptr<SimNode>>& nodes, Workload& workload,
                         const ClusterOptions& cluster)
    : world_(world),
      network_(network),
      checker_(checker),
      nodes_(nodes),
      workload_(workload),
      cluster_(cluster),
      process_(world, "operator"),
      next_id_(cluster.nodes + 1) {
  for (std::uint32_t id = 1; id <= cluster.nodes; ++id) {
    members_.emplace_back(NodeId(id), SimDiscovery::AddressOf(NodeId(id)));
    discovery_->Add(NodeId(id));
  }
}

Replacement::~Replacement() = default;

std::unique_ptr<SimNode> Replacement::MakeNode(NodeId id, Checker& checker, std::uint32_t copy) {
  return std::make_unique<SimNode>(world_, network_, checker, id, cluster_, members_, discovery_,
                                   copy);
}

SimNode* Replacement::LeaderOf(PartitionId partition) const {
  for (const auto& node : nodes_) {
    if (!node->IsUp()) continue;
    const PartitionStatus status = node->raft()->Status(partition);
    if (status.role == Role::kLeader && status.ready) return node.get();
  }
  return nullptr;
}

// Everybody else has written down who the node is: otherwise an empty disk could be taken for it,
// as it could at the birth of the cluster.
bool Replacement::IsKnownToAll(const SimNode& node) const {
  const auto& identity = node.disk()->identity();
  if (!identity) return false;
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
    return other.get() == &node || PinOf(*other->disk(), node.id()) == identity->incarnation;
  });
}

// The roster names the node's incarnation, so its votes count: a majority of others is worth
// nothing when one of them was never seen before the lost node, and the leader with it, had gone.
bool Replacement::CanCount(const SimNode& node) const {
  return node.CanVote() && std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
           return other.get() != &node && other->IsUp() && other->IsJoined() &&
                  RaftNodeAccess::Of(*other->raft())->Counts(node.id());
         });
}

// Every configuration of the partition that is or may come to be in force can do without the lost
// node: the newest that is known to be committed, and whatever a log that has it holds after it.
// Other logs lack what is committed, so their nodes decide nothing.
bool Replacement::KeepsMajorities(PartitionId partition, NodeId lost) const {
  const auto& committed = checker_.facts().Committed(partition);
  std::vector<const LogView*> views;
  std::vector<NodeId> holders;
  LogIndex newest;
  for (const auto& node : nodes_) {
    // One that has not made the partition yet is no help.
    if (checker_.facts().Disk(node->id(), partition) == nullptr) continue;
    const LogView* view = checker_.facts().View(node->id(), partition);
    if (view == nullptr) return false;  // it has not read its log back yet
    views.push_back(view);
    if (node->id() != lost) holders.push_back(node->id());
    newest = std::max(newest, NewestSettled(*view, committed));
  }
  const auto remains = [&](NodeId node) {
    return std::find(holders.begin(), holders.end(), node) != holders.end();
  };
  return std::all_of(views.begin(), views.end(), [&](const LogView* view) {
    if (!HasCommitted(*view, newest, committed)) return true;
    const auto& versions = view->configurations();
    const auto in_force =
        std::find_if(versions.rbegin(), versions.rend(),
                     [&](const LogView::Version& version) { return version.index <= newest; });
    if (in_force != versions.rend() && in_force->configuration.IsJoint()) return false;
    const auto is_later = [&](const LogView::Version& version) {
      return in_force == versions.rend() || version.index >= in_force->index;
    };
    return std::all_of(versions.begin(), versions.end(), [&](const LogView::Version& version) {
      return !is_later(version) || IsQuorum(version.configuration, remains);
    });
  });
}

bool Replacement::CanWipe(std::size_t machine) const {
  const SimNode& node = *nodes_[machine];
  if (IsOpen() || nodes_.size() < NodesNeeded(FaultKind::kReplace)) return false;
  if (workload_.IsReconfiguring() || !IsKnownToAll(node)) return false;
  for (const auto& other : nodes_) {
    if (other.get() == &node) continue;
    if (!CanCount(*other)) return false;
  }
  for (std::uint32_t partition = 0; partition <= cluster_.partitions; ++partition) {
    if (!KeepsMajorities(partition, node.id())) return false;
  }
  return true;
}

void Replacement::Wipe(std::size_t machine, bool impostor_first) {
  const NodeId id(next_id_++);
  discovery_->Add(id);
  std::unique_ptr<SimNode> newcomer = MakeNode(id, checker_, 0);
  open_.emplace();
  open_->old_id = nodes_[machine]->id();
  open_->newcomer = newcomer.get();
  open_->number = ++replacements_;
  world_.trace().Event(world_.Now(), "wiped", open_->old_id.value(), id.value());
  if (impostor_first) {
    impostor_checker_ = std::make_unique<Checker>();
    impostor_ = MakeNode(open_->old_id, *impostor_checker_, 1);
    impostor_->Start();
  }
  // Its disk is kept for the record: it holds what it once acknowledged.
  retired_.push_back(std::exchange(nodes_[machine], std::move(newcomer)));
}

void Replacement::Arrive() {
  if (!open_ || open_->newcomer->life() != 0) return;
  if (impostor_) DismissImpostor();
  open_->newcomer->Start();
  Work(open_->number);
}

// What it has become: nothing, if everybody knows better.
void Replacement::DismissImpostor() {
  const auto complain = [&](const std::string& what) {
    checker_.Report("an impostor is refused", "node " + std::to_string(impostor_->id().value()) +
                                                  " with an empty disk " + what);
  };
  const RaftErrc refusals[] = {RaftErrc::IdentityReplaced, RaftErrc::DuplicateNodeId};
  const bool is_refused =
      std::any_of(std::begin(refusals), std::end(refusals),
                  [&](RaftErrc refusal) { return impostor_->join_error() == refusal; });
  if (is_refused) ++impostors_refused_;
  if (impostor_->HasConversed()) complain("has been let in");
  if (impostor_->IsJoined()) complain("has joined the cluster");
  for (const auto& [partition, log] : impostor_->disk()->partitions()) {
    if (partition != kSystemPartition || log.last().value() != 0) complain("has learnt a log");
    if (log.hard_state.vote) complain("has voted");
    if (impostor_checker_->DeliveredAnywhere(partition) != 0) complain("has delivered");
  }
  for (const Violation& violation : impostor_checker_->violations()) {
    complain("breaks \"" + violation.invariant + "\": " + violation.what);
  }
  impostor_.reset();
  impostor_checker_.reset();
}

void Replacement::Work(std::uint64_t number) {
  world_.PushAt(process_.record(), world_.Now() + kWorkInterval, [this, number] {
    if (!open_ || open_->number != number) return;
    DoWork();
    if (open_) Work(number);
  });
}

// The system partition first: only there the new node hears of the partitions.
void Replacement::DoWork() {
  if (!open_->is_member) return AskForMember();
  bool is_done = Settle(kSystemPartition) && open_->newcomer->IsJoined();
  if (!is_done) return;
  for (std::uint32_t partition = 1; partition <= cluster_.partitions; ++partition) {
    is_done = Settle(partition) && is_done;
  }
  if (!is_done) return;
  world_.trace().Event(world_.Now(), "replaced", open_->old_id.value(),
                       open_->newcomer->id().value());
  open_.reset();
}

void Replacement::AskForMember() {
  if (open_->asked_at != Instant() && world_.Now() < open_->asked_at + kAskAgain) return;
  SimNode* leader = LeaderOf(kSystemPartition);
  if (leader == nullptr) return;
  open_->asked_at = world_.Now();
  RaftNodeAccess::Of(*leader->raft())
      ->AddMember(open_->newcomer->id(), kAskTimeout,
                  [this, number = open_->number](error_code error) {
                    // Comes on the leader's process.
                    world_.Push(process_.record(), [this, number, error] {
                      if (!open_ || open_->number != number) return;
                      open_->asked_at = Instant();
                      if (!error) open_->is_member = true;
                    });
                  });
}

// What comes after `now`; none when there is nothing left to change. The system partition gets the
// new node as a learner first: one that nobody has met yet may not vote, and a change that needs it
// would wait for ever.
std::optional<Configuration> Replacement::TargetOf(PartitionId partition,
                                                   const Configuration& now) const {
  const NodeId old_id = open_->old_id;
  const NodeId new_id = open_->newcomer->id();
  const bool is_system = partition == kSystemPartition;
  if (is_system && !open_->newcomer->IsJoined()) {
    if (now.Contains(new_id)) return std::nullopt;
    std::vector<NodeId> learners = now.learners;
    learners.push_back(new_id);
    return Configuration(now.voters, std::move(learners));
  }
  const bool is_needed = is_system && !now.Contains(new_id);
  if (!now.Contains(old_id) && !is_needed) return std::nullopt;
  std::vector<NodeId> voters = Exchange(now.voters, old_id, new_id);
  std::vector<NodeId> learners = Exchange(now.learners, old_id, new_id);
  if (!now.Contains(old_id)) learners.push_back(new_id);
  Configuration target(std::move(voters));
  for (const NodeId node : learners) {
    if (!target.IsVoter(node)) target.learners.push_back(node);
  }
  std::sort(target.learners.begin(), target.learners.end());
  target.learners.erase(std::unique(target.learners.begin(), target.learners.end()),
                        target.learners.end());
  return target;
}

bool Replacement::Settle(PartitionId partition) {
  SimNode* leader = LeaderOf(partition);
  const LogView* view =
      leader == nullptr ? nullptr : checker_.facts().View(leader->id(), partition);
  if (view == nullptr) return false;
  const auto& newest = view->configurations().back();
  const Configuration& now = newest.configuration;
  if (now.IsJoint() || leader->raft()->Status(partition).committed < newest.index) return false;
  const std::optional<Configuration> target = TargetOf(partition, now);
  if (!target) return true;
  auto& [operation, asked_at] = open_->changes[partition];
  const bool is_answered = operation != 0 && workload_.Answer(operation) != nullptr;
  if (operation != 0 && !is_answered && world_.Now() < asked_at + kAskAgain) return false;
  operation = workload_.Reconfigure(*leader, partition, *target, kAskTimeout);
  asked_at = world_.Now();
  return false;
}

}  // namespace kommander::sim
