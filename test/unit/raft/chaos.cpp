// The storms and the calm after them.
#include "unit/raft/chaos.hpp"

#include <algorithm>
#include <iostream>
#include <stdexcept>

#include "unit/raft/trace.hpp"

namespace kommander::raft::test {
namespace {

using namespace std::chrono_literals;

Configuration InitialVoters(Random& random) {
  std::vector<NodeId> voters;
  const std::uint64_t count = 1 + random.Below(5);
  for (std::uint32_t id = 1; id <= count; ++id) voters.emplace_back(id);
  return Configuration(voters);
}

}  // namespace

// Small limits, so that every bound is met.
TestCluster::Options Chaos::Options(std::uint64_t seed, Random& random) {
  TestCluster::Options options;
  options.seed = seed;
  CoreOptions& core = options.core;
  core.election_timeout = 100ms;
  if (random.Below(2) == 0) {
    core.append_bytes_max = 100 + random.Below(1000);
    core.append_entries_max = 1 + random.Below(20);
    core.inflight_bytes_max = 100 + random.Below(4000);
    core.inflight_messages_max = 1 + random.Below(8);
    core.cache_bytes_max = random.Below(2000);
    core.apply_bytes_max = 100 + random.Below(2000);
    core.ticket_timeout = std::chrono::milliseconds(50 + random.Below(500));
    core.session_timeout = std::chrono::milliseconds(100 + random.Below(1000));
    core.uncommitted_bytes_max = 2000 + random.Below(20000);
    core.requests_max = 20 + random.Below(200);
  }
  return options;
}

Chaos::Chaos(std::uint64_t seed)
    : random_(seed),
      theme_(static_cast<Theme>(seed % 4)),
      cluster_(Options(seed, random_), InitialVoters(random_)),
      now_(cluster_.now()),
      timeout_(100ms) {
  const std::size_t voters = cluster_.nodes().size();
  const Configuration initial = cluster_.core(1).ActiveConfiguration();
  for (std::size_t spare = 1; spare <= 2; ++spare) {
    cluster_.AddNode(NodeId(static_cast<std::uint32_t>(voters + spare)), initial);
  }
  for (auto& [id, node] : cluster_.nodes()) states_[id];
  loss_one_in_ = Chance(3) ? 0 : 3 + random_.Below(40);
  duplicate_one_in_ = Chance(2) ? 0 : 3 + random_.Below(40);
  delay_max_ = Below(Chance(4) ? timeout_ : timeout_ / 10) + 1us;
  if (theme_ == Theme::kReads) delay_max_ = Below(timeout_ / 2) + 1us;
  sync_max_ = Below(Chance(4) ? timeout_ : timeout_ / 20) + 1us;
}

Duration Chaos::Below(Duration bound) {
  return Duration(
      static_cast<Duration::rep>(random_.Below(static_cast<std::uint64_t>(bound.count()))));
}

std::uint32_t Chaos::AnyNode() {
  return static_cast<std::uint32_t>(1 + random_.Below(states_.size()));
}

std::uint32_t Chaos::LikelyLeader() {
  if (const NodeId leader = cluster_.Leader(); leader && !Chance(5)) return leader.value();
  return AnyNode();
}

std::uint32_t Chaos::AnyLeader() {
  std::vector<std::uint32_t> leaders;
  for (const auto& [id, node] : cluster_.nodes()) {
    const bool leads = node->core != nullptr && node->core->Status().role == RoleKind::kLeader;
    if (leads) leaders.push_back(id.value());
  }
  return leaders.empty() ? AnyNode() : leaders[random_.Below(leaders.size())];
}

void Chaos::At(Instant when, std::function<void()> action) {
  events_.emplace(when, std::move(action));
}

void Chaos::AtLife(NodeId id, Duration delay, std::function<void()> action) {
  const std::uint64_t life = states_[id].life;
  At(now_ + delay, [this, id, life, action = std::move(action)] {
    if (states_[id].life == life && cluster_.nodes().at(id)->core != nullptr) action();
  });
}

void Chaos::RunUntil(Instant end) {
  while (!events_.empty() && events_.begin()->first <= end) {
    auto event = events_.extract(events_.begin());
    now_ = std::max(now_, event.key());
    cluster_.set_now(now_);
    event.mapped()();
    AfterStep();
  }
  now_ = end;
  cluster_.set_now(now_);
}

// What the last event set free goes its way.
void Chaos::AfterStep() {
  std::vector<Message> messages = std::move(cluster_.wire);
  cluster_.wire.clear();
  for (Message& message : messages) ScheduleMessage(std::move(message));
  for (auto& [id, node] : cluster_.nodes()) {
    if (node->core != nullptr) Collect(id);
  }
}

void Chaos::Collect(NodeId id) {
  TestNode& node = *cluster_.nodes().at(id);
  NodeState& state = states_[id];
  if (node.disk.pending() != 0 && !state.sync_scheduled) ScheduleSync(id);
  if (!node.applier.empty() && !state.apply_scheduled) ScheduleApply(id);
  if (!node.fetches.empty()) ScheduleFetches(id);
  if (!node.snapshots.empty()) ScheduleSnapshots(id);
  const Instant deadline = node.core->NextDeadline();
  if (deadline < state.wake_at && !state.step_scheduled) {
    state.wake_at = deadline;
    AtLife(id, std::max(deadline - now_, Duration(0)), [this, id] {
      states_[id].wake_at = kNever;
      ScheduleStep(id);
    });
  }
}

void Chaos::ScheduleMessage(Message message) {
  ++report_.messages;
  if (loss_one_in_ != 0 && Chance(loss_one_in_)) return;
  const std::size_t copies = duplicate_one_in_ != 0 && Chance(duplicate_one_in_) ? 2 : 1;
  for (std::size_t copy = 0; copy < copies; ++copy) {
    const Duration delay = Below(!healed_ && Chance(50) ? 3 * timeout_ : delay_max_);
    At(now_ + delay, [this, message] {
      const auto target = cluster_.nodes().find(message.to);
      if (target == cluster_.nodes().end() || target->second->core == nullptr) return;
      if (cluster_.cuts.contains({message.from, message.to})) return;
      target->second->inbox.push_back(Receive{message});
      ScheduleStep(message.to);
    });
  }
}

void Chaos::ScheduleStep(NodeId id) {
  NodeState& state = states_[id];
  if (state.step_scheduled) return;
  state.step_scheduled = true;
  const Duration pause = std::max(state.paused_until - now_, Duration(0));
  AtLife(id, pause + (Chance(2) ? Duration(0) : Below(timeout_ / 100)),
         [this, id] { StepNow(id); });
}

void Chaos::StepNow(NodeId id) {
  states_[id].step_scheduled = false;
  ++report_.steps;
  const bool led = cluster_.nodes().at(id)->core->Status().role == RoleKind::kLeader;
  cluster_.Step(id, {Tick{}});
  const bool leads = cluster_.nodes().at(id)->core->Status().role == RoleKind::kLeader;
  if (leads && !led) ++report_.leaders;
}

// One sync at a time; the next one takes some or all of what has queued meanwhile.
void Chaos::ScheduleSync(NodeId id) {
  NodeState& state = states_[id];
  state.sync_scheduled = true;
  const Duration stuck = std::max(state.disk_stuck_until - now_, Duration(0));
  AtLife(id, stuck + Below(sync_max_), [this, id] {
    NodeState& now_state = states_[id];
    // With failed storage the unit never answers; it stays on its way until the crash.
    if (now_state.storage_failed) return;
    now_state.sync_scheduled = false;
    TestNode& node = *cluster_.nodes().at(id);
    std::uint64_t count = Chance(2) ? node.disk.pending() : 1 + random_.Below(node.disk.pending());
    UnitId last;
    for (; count > 0; --count) last = node.disk.SyncOne();
    node.inbox.push_back(Persisted{last});
    ScheduleStep(id);
  });
}

void Chaos::ScheduleApply(NodeId id) {
  states_[id].apply_scheduled = true;
  AtLife(id, Below(Chance(20) ? timeout_ : timeout_ / 20), [this, id] {
    states_[id].apply_scheduled = false;
    TestNode& node = *cluster_.nodes().at(id);
    const std::size_t count = 1 + random_.Below(node.applier.size() + 1);
    LogIndex last;
    for (std::size_t i = 0; i < count && !node.applier.empty(); ++i) {
      last = node.applier.front().entry.index;
      node.applier.pop_front();
    }
    if (!last) return;
    node.inbox.push_back(Applied{last});
    ScheduleStep(id);
  });
}

void Chaos::ScheduleFetches(NodeId id) {
  TestNode& node = *cluster_.nodes().at(id);
  for (const Fetch& fetch : node.fetches) {
    AtLife(id, Below(timeout_ / 20), [this, id, fetch] {
      TestNode& reader = *cluster_.nodes().at(id);
      std::vector<Entry> entries;
      if (healed_ || !Chance(10))
        entries = reader.disk.Read(fetch.first, fetch.last, fetch.bytes_max);
      reader.inbox.push_back(Fetched{fetch.fetch, fetch.first, std::move(entries)});
      ScheduleStep(id);
    });
  }
  node.fetches.clear();
}

// A snapshot travels for a while; it may be lost, and it may arrive in another term.
void Chaos::ScheduleSnapshots(NodeId id) {
  TestNode& node = *cluster_.nodes().at(id);
  for (const NodeId peer : node.snapshots) {
    const Term term = node.core->Status().term;
    const BoundaryRecord boundary = node.disk.boundary();
    const Duration delay = Below(healed_ ? timeout_ / 10 : 2 * timeout_);
    const bool lost = !healed_ && Chance(4);
    At(now_ + delay, [this, id, peer, term, boundary, lost] {
      TestNode& target = *cluster_.nodes().at(peer);
      if (lost || target.core == nullptr || cluster_.cuts.contains({id, peer})) return;
      ++report_.snapshots;
      target.inbox.push_back(SnapshotStaged{id, term, boundary});
      ScheduleStep(peer);
    });
    AtLife(id, delay + Below(timeout_ / 10), [this, id, peer, boundary, lost] {
      cluster_.nodes().at(id)->inbox.push_back(SnapshotSent{peer, boundary.index, !lost});
      ScheduleStep(id);
    });
  }
  node.snapshots.clear();
}

void Chaos::Client() {
  const bool reads = theme_ == Theme::kReads;
  const std::uint32_t id = Chance(4) ? AnyNode() : reads ? AnyLeader() : LikelyLeader();
  TestNode& node = cluster_.node(id);
  if (node.core == nullptr || states_[NodeId(id)].paused_until > now_) return;
  const Instant deadline = Chance(3) ? now_ + Below(5 * timeout_) : kNever;
  const std::uint64_t kind = random_.Below(10);
  if (kind < 6) {
    const std::uint64_t burst = 1 + random_.Below(8);
    for (std::uint64_t i = 0; i < burst; ++i) {
      raft::Propose propose = AnyProposal();
      propose.deadline = deadline;
      cluster_.Request(id, std::move(propose));
    }
  } else if (kind < 9) {
    cluster_.Request(id, Read{RequestId(), deadline});
  } else if (!node.waiting.empty()) {
    cluster_.Step(id, Withdraw{RequestId(*node.waiting.begin())});
  }
}

// Mostly plain entries; else one of all that the ledger judges.
raft::Propose Chaos::AnyProposal() {
  raft::Propose propose;
  std::string body = std::to_string(++bodies_);
  body.resize(body.size() + random_.Below(60), '.');
  propose.ticket = Ticket(bodies_, 0, NodeId(1));
  const std::uint64_t recent = bodies_ - random_.Below(std::min<std::uint64_t>(bodies_, 40));
  switch (random_.Below(12)) {
    case 0:
      propose.kind = EntryKind::kPrepared;
      if (Chance(3)) {
        propose.first = Payload(body);
        propose.first_ticket = propose.ticket;
        propose.ticket = Ticket(bodies_, 1, NodeId(1));
      }
      break;
    case 1:
    case 2: {
      propose.kind = EntryKind::kDecision;
      const auto decision = Chance(2) ? Decision::kCommit : Decision::kRollback;
      propose.body = Encode(DecisionBody{Ticket(recent, 0, NodeId(1)), decision});
      return propose;
    }
    case 3: {
      propose.kind = EntryKind::kSession;
      SessionBody session;
      if (Chance(2)) session = {SessionId(1 + random_.Below(bodies_)), SessionBody::kWhenever};
      propose.body = Encode(session);
      return propose;
    }
    case 4: {
      propose.kind = Chance(2) ? EntryKind::kSessionApplication : EntryKind::kSessionPrepared;
      std::byte header[kSessionHeaderBytes];
      const std::uint64_t sequence = 1 + random_.Below(10);
      EncodeSessionHeader({SessionId(1 + random_.Below(bodies_)), sequence, sequence / 2 + 1},
                          header);
      propose.body = Payload(ByteSpan(header));
      return propose;
    }
    case 5:
      propose.kind = EntryKind::kCheckpoint;
      propose.body = Encode(CheckpointBody{LogIndex(random_.Below(recent))});
      return propose;
    default: break;
  }
  propose.body = Payload(body);
  return propose;
}

void Chaos::MemberClient() {
  const std::uint32_t id = LikelyLeader();
  TestNode& node = cluster_.node(id);
  if (node.core == nullptr || states_[NodeId(id)].paused_until > now_) return;
  switch (random_.Below(5)) {
    case 0: {
      const NodeId target(Chance(4) ? 0 : AnyNode());
      cluster_.Request(id, Transfer{RequestId(), target});
      break;
    }
    case 1: cluster_.Request(id, StepDown{}); break;
    case 2: {
      const CoreStatus status = node.core->Status();
      const std::uint64_t room = LogIndex::Distance(status.first.Previous(), status.applied);
      if (room != 0) {
        cluster_.CompactTo(NodeId(id), status.first + random_.Below(room));
      }
      break;
    }
    default: {
      std::vector<NodeId> voters;
      std::vector<NodeId> learners;
      for (const auto& [member, state] : states_) {
        const std::uint64_t role = random_.Below(4);
        if (role < 2) voters.push_back(member);
        if (role == 2) learners.push_back(member);
      }
      ++report_.changes;
      const Instant deadline = Chance(3) ? now_ + Below(5 * timeout_) : kNever;
      cluster_.Request(id, Reconfigure{RequestId(), Configuration(voters, learners), deadline});
    }
  }
}

void Chaos::CrashNode(std::uint32_t id) {
  TestNode& node = cluster_.node(id);
  NodeState& state = states_[NodeId(id)];
  if (node.core == nullptr) return;
  ++report_.crashes;
  const CoreStatus status = node.core->Status();
  // The application remembers some of what it applied, never more than was durable.
  if (Chance(2)) node.floor = std::max(node.floor, std::min(status.applied, node.disk.last()));
  cluster_.Crash(NodeId(id), random_.Below(node.disk.pending() + 1));
  const std::uint64_t life = state.life + 1;
  state = NodeState();
  state.life = life;
  if (node.floor > node.disk.last()) node.floor = node.disk.boundary().index;
  At(now_ + Below(5 * timeout_), [this, id] {
    if (cluster_.node(id).core == nullptr) cluster_.Start(NodeId(id));
  });
}

void Chaos::FaultLinks() {
  const NodeId a(AnyNode());
  const NodeId b(AnyNode());
  if (a == b) return;
  cluster_.cuts.insert({a, b});
  if (Chance(2)) cluster_.cuts.insert({b, a});
}

void Chaos::Fault() {
  const std::uint32_t id = Chance(2) ? AnyNode() : LikelyLeader();
  NodeState& state = states_[NodeId(id)];
  switch (random_.Below(9)) {
    case 0:
    case 1: CrashNode(id); break;
    case 2:
    case 3: FaultLinks(); break;
    case 4: cluster_.Isolate(id); break;
    case 5:
    case 6: cluster_.Heal(); break;
    case 7:
      (Chance(2) ? state.paused_until : state.disk_stuck_until) = now_ + Below(5 * timeout_);
      break;
    case 8:
      if (!Chance(3) || cluster_.node(id).core == nullptr) break;
      state.storage_failed = true;
      cluster_.Step(id, StorageFailure{});
      At(now_ + Below(5 * timeout_), [this, id] {
        if (!healed_) CrashNode(id);
      });
      break;
  }
}

void Chaos::Trace() {
  const Instant start = now_;
  cluster_.observer = [this, start](const TestNode& node, const CoreStatus& before,
                                    const Effects& effects) {
    const auto at = std::chrono::duration_cast<std::chrono::microseconds>(now_ - start).count();
    for (const std::string& line : DescribeStep(node, before, effects)) {
      std::cout << at << "us  " << line << "\n";
    }
  };
}

Chaos::Report Chaos::Run(Duration fault_time) {
  const Instant storm_end = now_ + fault_time;
  const auto repeat = [this, storm_end](Duration every, auto self_action) {
    for (Instant at = now_ + Below(every); at < storm_end; at += Below(2 * every) + 1us) {
      At(at, self_action);
    }
  };
  const auto pace = [this](Theme theme, Duration often, Duration seldom) {
    return theme_ == theme ? often : seldom;
  };
  repeat(pace(Theme::kReads, timeout_ / 40, timeout_ / 10), [this] { Client(); });
  repeat(pace(Theme::kMembers, timeout_ / 3, timeout_ * 2), [this] { MemberClient(); });
  repeat(pace(Theme::kCrashes, timeout_ / 2, timeout_ * 2), [this] { Fault(); });
  AfterStep();
  RunUntil(storm_end);
  Heal();
  DemandLiveness();
  for (auto& [id, node] : cluster_.nodes()) {
    cluster_.Request(id.value(), Read{});
    cluster_.Propose(id.value(), "last words");
    cluster_.Step(id.value(), Stop{});
    if (!node->waiting.empty()) Fail("Stop left a request unanswered");
    if (node->core->NextDeadline() != kNever) Fail("a stopped core waits for time");
    report_.answered += node->completions.size();
  }
  return report_;
}

void Chaos::Heal() {
  healed_ = true;
  loss_one_in_ = duplicate_one_in_ = 0;
  delay_max_ = timeout_ / 50;
  sync_max_ = timeout_ / 50;
  cluster_.Heal();
  for (auto& [id, state] : states_) {
    TestNode& node = *cluster_.nodes().at(id);
    if (state.storage_failed) CrashNode(id.value());
    state.paused_until = state.disk_stuck_until = Instant();
    if (node.core == nullptr) cluster_.Start(id);
  }
  AfterStep();
}

// One leader that is ready, members that all have everything, no joint configuration, nobody
// waiting.
bool Chaos::InOrder() {
  const NodeId leader = cluster_.Leader();
  if (!leader) return false;
  const Core& core = cluster_.core(leader.value());
  if (core.ActiveConfiguration().IsJoint()) return false;
  const CoreStatus lead = core.Status();
  for (const NodeId member : core.ActiveConfiguration().Members()) {
    const CoreStatus status = cluster_.status(member.value());
    if (status.term != lead.term || status.applied != lead.last) return false;
  }
  for (const auto& [id, node] : cluster_.nodes()) {
    const bool member = core.ActiveConfiguration().Contains(id);
    if (member && !node->waiting.empty()) return false;
  }
  return true;
}

void Chaos::DemandLiveness() {
  // Orphaned waits end when something is committed at their index, so somebody must go on writing.
  for (int round = 0; round < 400; ++round) {
    RunUntil(now_ + timeout_);
    if (InOrder()) return;
    if (round > 20 && round % 4 == 0) {
      if (const NodeId leader = cluster_.Leader()) {
        for (int i = 0; i < 10; ++i) cluster_.Propose(leader.value(), "calm", now_ + timeout_ * 50);
        AfterStep();
      }
    }
  }
  std::string what = "the healed cluster does not come to order:";
  for (const auto& [id, node] : cluster_.nodes()) {
    const CoreStatus s = node->core->Status();
    what += "\n  " + std::to_string(id.value()) + " " + std::string(ToString(s.role)) +
            " term=" + std::to_string(s.term.value()) +
            " leader=" + std::to_string(s.leader.value()) +
            " log=" + std::to_string(s.first.value()) + ".." + std::to_string(s.last.value()) +
            " durable=" + std::to_string(s.durable.value()) +
            " committed=" + std::to_string(s.committed.value()) +
            " applied=" + std::to_string(s.applied.value()) +
            " waiting=" + std::to_string(node->waiting.size());
    const auto list = [&](const char* name, const std::vector<NodeId>& ids) {
      what += std::string(" ") + name + "=";
      for (const NodeId member : ids) what += std::to_string(member.value()) + ",";
    };
    list("voters", node->core->ActiveConfiguration().voters);
    list("outgoing", node->core->ActiveConfiguration().outgoing_voters);
    list("learners", node->core->ActiveConfiguration().learners);
    for (const std::string& peer : node->core->DescribePeers()) what += "\n      " + peer;
  }
  Fail(what);
}

void Chaos::Fail(const std::string& what) { throw std::runtime_error(what); }

}  // namespace kommander::raft::test
