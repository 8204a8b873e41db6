// Identity: whom this node talks to, under which incarnation, and whose votes and acknowledgements
// count. An address is only where a node is today; who it is, is the pair (node id, incarnation).
#include <set>
#include <utility>
#include <variant>

#include <boost/asio/post.hpp>

#include "manager/raft_node.hpp"
#include "mutants/mutants.hpp"

namespace kommander {
namespace asio = boost::asio;
namespace {

// What adds to a quorum: it must come from a pinned incarnation. Everything else may only teach.
bool AddsToQuorum(const Message& message) noexcept {
  if (const auto* vote = std::get_if<VoteReply>(&message.body)) return vote->granted;
  return std::holds_alternative<AppendReply>(message.body) ||
         std::holds_alternative<HeartbeatReply>(message.body);
}

}  // namespace

void RaftNode::UpdateAddresses() {
  const NodeId self = services_->configuration.id();
  for (const NodeAddress& member : services_->configuration.initial_members()) {
    if (member.id != self && discovery_ == nullptr) {
      services_->transport->SetPeer(member.id, member.endpoint);
    }
  }
  if (discovery_ == nullptr) return;
  // A second address of a node would end the connection to the first, at every tick.
  std::set<NodeId> named;
  // Also those that have been admitted without being known yet: they wait for answers. Whoever is
  // not named any more keeps its address, which may still be right.
  for (const NodeAddress& node : discovery_->Nodes()) {
    const bool concerns_us = IsMember(node.id) || pins_.contains(node.id);
    if (node.id == self || !concerns_us || !named.insert(node.id).second) continue;
    services_->transport->SetPeer(node.id, node.endpoint);
  }
}

bool RaftNode::IsMember(NodeId node) const {
  if (system_.roster().IsKnown()) return system_.roster().IsMember(node);
  return identity_.system_configuration.Contains(node);
}

cluster::AdmissionFacts RaftNode::Facts() const {
  cluster::AdmissionFacts facts;
  facts.cluster_id = identity_.cluster_id;
  facts.self = identity_.node;
  facts.incarnation = identity_.incarnation;
  facts.nonce = nonce_;
  facts.bootstrap_digest = bootstrap_digest_.load();
  facts.knows_roster = system_.roster().IsKnown();
  return facts;
}

Hello RaftNode::LocalHello(NodeId peer) const {
  Hello hello;
  hello.cluster_id = services_->configuration.cluster_id();
  hello.node = services_->configuration.id();
  hello.incarnation = Incarnation(incarnation_.load());
  hello.bootstrap_digest = bootstrap_digest_.load();
  hello.knows_roster = knows_roster_.load();
  // Who was seen first here need not be who the cluster knows.
  hello.known_incarnation = peers_.RosterPinOf(peer);
  if (!hello.known_incarnation) hello.known_incarnation = peers_.PinOf(peer);
  hello.nonce = nonce_;
  return hello;
}

void RaftNode::Judge(Hello hello, NodeId dialled, Verdict verdict) {
  Post([hello = std::move(hello), dialled, verdict = std::move(verdict)](RaftNode& self) mutable {
    self.JudgeOnStrand(std::move(hello), dialled, std::move(verdict));
  });
}

void RaftNode::JudgeOnStrand(Hello hello, NodeId dialled, Verdict verdict) {
  if (life_ != Life::kRunning) return verdict(RaftErrc::NodeStopped);
  // The roster's pin wins; before it says one, the pin of this node alone; before that, the one
  // that is being written.
  Incarnation pinned = system_.roster().PinOf(hello.node);
  if (!pinned) {
    if (const auto found = pins_pending_.find(hello.node); found != pins_pending_.end()) {
      pinned = found->second;
    }
  }
  const cluster::AdmissionFacts facts = Facts();
  const error_code error = cluster::JudgeHello(facts, hello, dialled, IsMember(hello.node), pinned,
                                               live_.contains(hello.node));
  const bool is_one_of_us = hello.cluster_id == facts.cluster_id && IsMember(hello.node);
  // Some of what a member says speaks against this node, whoever refuses whom.
  if (error && is_one_of_us && cluster::MeansAnother(facts, hello)) {
    gate_->OnHello(hello);
    HearRefusal(hello.node, RaftErrc::IdentityReplaced);
  } else if (error == RaftErrc::BootstrapMismatch && hello.knows_roster) {
    HearRefusal(hello.node, error);
  }
  if (error) return verdict(error);
  gate_->OnHello(hello);
  ConsiderGate();
  if (const auto synced = pins_.find(hello.node);
      synced != pins_.end() && synced->second == hello.incarnation) {
    live_.insert(hello.node);
    ConsiderSystemProposal();
    return verdict({});
  }
  Pin(hello.node, hello.incarnation, std::move(verdict));
}

// Records, synced, the first incarnation seen of a peer; nothing of it counts before.
void RaftNode::Pin(NodeId peer, Incarnation incarnation, Verdict verdict) {
  if (failed_sets_.contains(FileSetOf(kSystemPartition))) return verdict(RaftErrc::StorageFailed);
  pins_pending_[peer] = incarnation;
  pin_verdicts_next_.emplace_back(peer, std::move(verdict));
  if (pins_writing_) return;
  pins_writing_ = true;
  pin_verdicts_writing_ = std::exchange(pin_verdicts_next_, {});
  const error_code error = services_->io->SubmitTask(
      kSystemPartition,
      [self = shared_from_this(), pins = pins_pending_](Wal& wal, bool cancelled) {
        const error_code written =
            cancelled ? error_code(RaftErrc::NodeStopped) : WritePins(wal, pins);
        self->Post([pins, written](RaftNode& node) {
          if (!written) node.pins_ = pins;
          node.OnPinsWritten(written);
        });
      });
  if (error) OnPinsWritten(error);
}

void RaftNode::OnPinsWritten(error_code error) {
  pins_writing_ = false;
  RefreshCounts();
  for (auto& [peer, verdict] : std::exchange(pin_verdicts_writing_, {})) {
    if (!error) live_.insert(peer);
    verdict(error);
  }
  if (error) {
    pins_pending_ = pins_;
    for (auto& [peer, verdict] : std::exchange(pin_verdicts_next_, {})) verdict(error);
    FailStore(kSystemPartition, error, "the pins of peers");
    return;
  }
  ConsiderSystemProposal();
  if (!pin_verdicts_next_.empty()) {
    auto [peer, verdict] = std::move(pin_verdicts_next_.back());
    pin_verdicts_next_.pop_back();
    Pin(peer, pins_pending_[peer], std::move(verdict));
  }
}

// A member whose pin the roster does not hold yet teaches but does not count.
void RaftNode::RefreshCounts() {
  const cluster::Roster& roster = system_.roster();
  for (const auto& [peer, incarnation] : pins_) {
    const Incarnation told = roster.PinOf(peer);
    (void)peers_.Set(peer, incarnation, told, !roster.IsKnown() || told == incarnation);
  }
  for (const cluster::RosterMember& member : roster.members()) {
    if (!member.incarnation || pins_.contains(member.node)) continue;
    (void)peers_.Set(member.node, member.incarnation, member.incarnation, true);
  }
  knows_roster_.store(roster.IsKnown());
}

Incarnation RaftNode::RosterPinOf(NodeId peer) const noexcept {
  const Incarnation told = peers_.RosterPinOf(peer);
  return KOMMANDER_MUTANT(admits_without_roster) && !told ? peers_.PinOf(peer) : told;
}

// Voting on its own word begins once it is on disk that it may: a restart must not find a half-used
// store and take its node for one that was never admitted, nor the other way round.
void RaftNode::ConsiderGate() {
  if (!gate_->IsOpen() || admitted_ || failed_sets_.contains(FileSetOf(kSystemPartition))) return;
  if (std::exchange(admission_writing_, true)) return;
  const error_code refused = services_->io->SubmitTask(
      kSystemPartition, [self = shared_from_this()](Wal& wal, bool cancelled) {
        const error_code error = cancelled ? error_code(RaftErrc::NodeStopped) : WriteAdmitted(wal);
        self->Post([error](RaftNode& node) { node.OnAdmissionWritten(error); });
      });
  if (refused) OnAdmissionWritten(refused);
}

void RaftNode::OnAdmissionWritten(error_code error) {
  admission_writing_ = false;
  if (error) return FailStore(kSystemPartition, error, "the admission of this node");
  admitted_ = true;
  if (runtime::PartitionActor* system = Find(kSystemPartition)) system->Enable();
}

void RaftNode::OnMessages(NodeId from, std::vector<Message> messages) {
  // Whoever did a handshake is pinned. Transports see to that; it does not rest on them alone.
  if (!peers_.PinOf(from)) {
    uncounted_dropped_.fetch_add(messages.size(), std::memory_order_relaxed);
    return;
  }
  if (!KOMMANDER_MUTANT(unpinned_peer_counts) && !peers_.Counts(from)) {
    const auto dropped = std::erase_if(messages, AddsToQuorum);
    uncounted_dropped_.fetch_add(dropped, std::memory_order_relaxed);
  }
  // Runs of one partition share a visit to its mailbox.
  for (auto first = messages.begin(); first != messages.end();) {
    auto last = first + 1;
    while (last != messages.end() && last->partition == first->partition) ++last;
    if (runtime::PartitionActor* actor = Find(first->partition)) actor->SubmitMessages(first, last);
    first = last;
  }
}

void RaftNode::OnPeerDown(NodeId peer, error_code) {
  Post([peer](RaftNode& self) {
    self.live_.erase(peer);
    for (const auto& actor : self.partitions_.actors()) actor->NotePeerDown(peer);
  });
}

void RaftNode::OnRefused(NodeId peer, error_code reason) {
  Post([peer, reason](RaftNode& self) { self.HearRefusal(peer, reason); });
}

// A peer will not have this node: the end of the join when it cannot come to anything, else told
// as a problem, once.
void RaftNode::HearRefusal(NodeId peer, error_code reason) {
  const bool concerns_identity =
      reason == RaftErrc::IdentityReplaced || reason == RaftErrc::DuplicateNodeId ||
      reason == RaftErrc::ClusterIdMismatch || reason == RaftErrc::BootstrapMismatch ||
      reason == RaftErrc::VersionMismatch;
  // A node that is to be added hears this until it has been.
  const bool is_stranger = reason == RaftErrc::UnexpectedPeer;
  if ((!concerns_identity && !is_stranger) || life_ != Life::kRunning) return;
  const std::string text =
      "refused by node " + std::to_string(peer.value()) + ": " + reason.message();
  const bool is_news = problems_told_.emplace(peer, reason.value()).second;
  if (concerns_identity) refused_by_.insert(peer);
  const bool is_final = reason == RaftErrc::IdentityReplaced ||
                        reason == RaftErrc::DuplicateNodeId ||
                        2 * refused_by_.size() >= identity_.system_configuration.voters.size();
  if (concerns_identity && is_final && join_) {
    FinishJoin(reason, text);
  } else if (is_news) {
    ReportProblem(reason, text);
  }
}

}  // namespace kommander
