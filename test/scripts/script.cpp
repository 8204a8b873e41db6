// The commands of golden scripts.
#include "scripts/script.hpp"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "unit/raft/trace.hpp"

namespace kommander::raft::test {
namespace {

std::uint64_t Number(const std::string& word) {
  std::size_t used = 0;
  const std::uint64_t value = std::stoull(word, &used);
  if (used != word.size()) throw std::runtime_error("not a number: " + word);
  return value;
}

NodeId Node(const std::string& word) { return NodeId(static_cast<std::uint32_t>(Number(word))); }

Duration Time(const std::string& word) {
  std::size_t used = 0;
  const std::uint64_t value = std::stoull(word, &used);
  const std::string unit = word.substr(used);
  if (unit == "ms") return std::chrono::milliseconds(value);
  if (unit == "s") return std::chrono::seconds(value);
  throw std::runtime_error("not a duration: " + word);
}

// "voters 1 2 3 learners 4" as a configuration; bare numbers are voters.
Configuration Parse(const std::vector<std::string>& words, std::size_t from) {
  std::vector<NodeId> voters;
  std::vector<NodeId> learners;
  std::vector<NodeId>* list = &voters;
  for (std::size_t i = from; i < words.size(); ++i) {
    if (words[i] == "voters") {
      list = &voters;
    } else if (words[i] == "learners") {
      list = &learners;
    } else {
      list->push_back(Node(words[i]));
    }
  }
  return Configuration(voters, learners);
}

}  // namespace

const std::map<std::string, Script::Command, std::less<>>& Script::Commands() {
  static const std::map<std::string, Command, std::less<>> commands{
      {"option", &Script::Option},
      {"nodes", &Script::Nodes},
      {"spare", &Script::Spare},
      {"campaign", &Script::Campaign},
      {"history", &Script::History},
      {"beats", &Script::Beats},
      {"silence", &Script::Silence},
      {"heartbeat", &Script::Heartbeat},
      {"advance", &Script::Advance},
      {"settle", &Script::Settle},
      {"deliver", &Script::Deliver},
      {"drop", &Script::Drop},
      {"duplicate", &Script::Duplicate},
      {"wire", &Script::Wire},
      {"sync", &Script::Sync},
      {"apply", &Script::Apply},
      {"fetch", &Script::Fetch},
      {"snapshot", &Script::Snapshot},
      {"compact", &Script::Compact},
      {"propose", &Script::Propose},
      {"propose-many", &Script::ProposeMany},
      {"read", &Script::Read},
      {"withdraw", &Script::Withdraw},
      {"transfer", &Script::Transfer},
      {"step-down", &Script::StepDown},
      {"reconfigure", &Script::Reconfigure},
      {"crash", &Script::Crash},
      {"start", &Script::Start},
      {"cut", &Script::Cut},
      {"isolate", &Script::Isolate},
      {"heal", &Script::Heal},
      {"fail-storage", &Script::FailStorage},
      {"enable", &Script::Enable},
      {"disable", &Script::Disable},
      {"stop", &Script::Stop},
      {"status", &Script::Status},
      {"log", &Script::Log},
      {"peers", &Script::Peers},
      {"members", &Script::Members},
      {"delivered", &Script::Delivered}};
  return commands;
}

std::vector<std::string> Script::Execute(const std::string& line) {
  std::istringstream stream(line);
  Words words;
  for (std::string word; stream >> word;) words.push_back(word);
  const bool quiet = !words.empty() && words[0] == "quiet";
  if (quiet) words.erase(words.begin());
  if (words.empty()) throw std::runtime_error("an empty command");
  const auto command = Commands().find(words[0]);
  if (command == Commands().end()) throw std::runtime_error("no such command: " + words[0]);
  words.erase(words.begin());
  output_.clear();
  (this->*command->second)(words);
  if (quiet) output_.clear();
  return std::move(output_);
}

TestNode& Script::NodeOf(const std::string& word) { return cluster_->node(Node(word).value()); }

std::vector<NodeId> Script::AllOr(const Words& words) const {
  std::vector<NodeId> ids;
  for (const std::string& word : words) ids.push_back(Node(word));
  if (!ids.empty()) return ids;
  for (const auto& [id, node] : cluster_->nodes()) {
    if (node->core != nullptr) ids.push_back(id);
  }
  return ids;
}

void Script::Option(const Words& words) {
  const std::size_t value = Number(words.at(1));
  const std::map<std::string, std::size_t CoreOptions::*> fields{
      {"append_bytes_max", &CoreOptions::append_bytes_max},
      {"append_entries_max", &CoreOptions::append_entries_max},
      {"inflight_bytes_max", &CoreOptions::inflight_bytes_max},
      {"inflight_messages_max", &CoreOptions::inflight_messages_max},
      {"uncommitted_bytes_max", &CoreOptions::uncommitted_bytes_max},
      {"apply_bytes_max", &CoreOptions::apply_bytes_max},
      {"cache_bytes_max", &CoreOptions::cache_bytes_max},
      {"entry_bytes_max", &CoreOptions::entry_bytes_max},
      {"fetches_max", &CoreOptions::fetches_max},
      {"requests_max", &CoreOptions::requests_max}};
  options_.*fields.at(words.at(0)) = value;
}

void Script::Nodes(const Words& words) {
  TestCluster::Options options;
  options.core = options_;
  cluster_ = std::make_unique<TestCluster>(options, Parse(words, 0));
  cluster_->observer = [this](const TestNode& node, const CoreStatus& before,
                              const Effects& effects) {
    for (std::string& line : DescribeStep(node, before, effects)) {
      output_.push_back(std::move(line));
    }
  };
}

// A node that nobody's configuration knows yet; it starts with the one of the others.
void Script::Spare(const Words& words) {
  const Configuration known = cluster_->nodes().begin()->second->disk.boundary().configuration;
  for (const std::string& word : words) cluster_->AddNode(Node(word), known);
}

// "history 1 term 3 1..4/1 5/3": node 1 restarts with that log on disk, and with that term if
// given.
void Script::History(const Words& words) {
  TestNode& node = NodeOf(words.at(0));
  WriteUnit unit;
  std::size_t at = 1;
  if (words.at(1) == "term") {
    unit.hard_state = HardState{Term(Number(words.at(2))), NodeId()};
    at = 3;
  }
  for (; at < words.size(); ++at) {
    const auto dots = words[at].find("..");
    const auto slash = words[at].find('/');
    const std::uint64_t first = Number(words[at].substr(0, std::min(dots, slash)));
    const std::uint64_t last =
        dots == std::string::npos ? first : Number(words[at].substr(dots + 2, slash - dots - 2));
    const Term term(Number(words[at].substr(slash + 1)));
    for (std::uint64_t index = first; index <= last; ++index) {
      unit.entries.emplace_back(term, LogIndex(index), EntryKind::kApplication, Ticket(),
                                Payload(words[at].substr(slash)));
    }
  }
  cluster_->Crash(node.id);
  node.disk.Submit(std::move(unit));
  node.disk.SyncOne();
  cluster_->Start(node.id);
}

// The clock of one node runs until it asks for votes.
void Script::Campaign(const Words& words) {
  TestNode& node = NodeOf(words.at(0));
  for (int i = 0; i < 20; ++i) {
    const RoleKind role = node.core->Status().role;
    const bool campaigns = role == RoleKind::kPreCandidate || role == RoleKind::kCandidate;
    if ((campaigns && i > 0) || role == RoleKind::kLeader) return;
    node.ahead = node.core->NextDeadline() - cluster_->now();
    cluster_->Step(node.id, {Tick{}});
  }
}

// The clocks of some nodes run until just before they would ask for votes, or for T if something
// else is due before.
void Script::Silence(const Words& words) {
  for (const NodeId id : AllOr(words)) {
    TestNode& node = *cluster_->nodes().at(id);
    if (node.core->Status().role == RoleKind::kLeader) continue;
    const Duration before = node.core->NextDeadline() - cluster_->now() - Duration(1);
    if (before - node.ahead < node.options.election_timeout / 2 && before != node.ahead) {
      node.ahead += node.options.election_timeout;
    } else {
      node.ahead = before;
    }
  }
}

void Script::Heartbeat(const Words& words) {
  TestNode& node = NodeOf(words.at(0));
  node.ahead = node.core->NextDeadline() - cluster_->now();
  cluster_->Step(node.id, {Tick{}});
}

// "beats 1 12": so many heartbeats of leader 1, each answered by everybody whom it reaches.
void Script::Beats(const Words& words) {
  for (std::uint64_t i = Number(words.at(1)); i > 0; --i) {
    Heartbeat(words);
    Deliver({});
    Deliver({});
  }
}

void Script::Advance(const Words& words) { cluster_->Advance(Time(words.at(0))); }

void Script::Settle(const Words&) { cluster_->Settle(); }

std::vector<std::size_t> Script::Select(const Words& words) const {
  std::vector<std::size_t> positions;
  for (std::size_t i = 0; i < cluster_->wire.size(); ++i) {
    const Message& message = cluster_->wire[i];
    const std::string from = std::to_string(message.from.value());
    const std::string to = std::to_string(message.to.value());
    const bool meant =
        words.empty() || std::any_of(words.begin(), words.end(), [&](const std::string& word) {
          return word == to || word == from + "->" + to;
        });
    if (meant) positions.push_back(i);
  }
  return positions;
}

// "deliver 1->2", "deliver 2", "deliver": what is on the wire now; "last" or "first": one of it.
void Script::Deliver(const Words& words) {
  Words filter = words;
  const bool first = std::erase(filter, "first") != 0;
  const bool last = std::erase(filter, "last") != 0;
  std::vector<std::size_t> positions = Select(filter);
  if (first && !positions.empty()) positions.erase(positions.begin() + 1, positions.end());
  if (last && !positions.empty()) positions.erase(positions.begin(), positions.end() - 1);
  for (std::size_t i = 0; i < positions.size(); ++i) cluster_->Deliver(positions[i] - i);
}

void Script::Drop(const Words& words) {
  const std::vector<std::size_t> positions = Select(words);
  for (std::size_t i = positions.size(); i > 0; --i) {
    const auto at = static_cast<std::ptrdiff_t>(positions[i - 1]);
    output_.push_back("lost: " + Describe(cluster_->wire[positions[i - 1]]));
    cluster_->wire.erase(cluster_->wire.begin() + at);
  }
  std::reverse(output_.begin(), output_.end());
}

void Script::Duplicate(const Words& words) {
  for (const std::size_t position : Select(words)) {
    const Message copy = cluster_->wire[position];
    cluster_->wire.push_back(copy);
  }
}

void Script::Wire(const Words& words) {
  for (const std::size_t position : Select(words)) {
    output_.push_back(Describe(cluster_->wire[position]));
  }
}

// "sync 1": all units of node 1; "sync 1 once": the oldest; "sync": everybody's.
void Script::Sync(const Words& words) {
  if (words.size() == 2 && words[1] == "once") return cluster_->SyncOne(Node(words[0]));
  for (const NodeId id : AllOr(words)) cluster_->SyncAll(id);
}

void Script::Apply(const Words& words) {
  for (const NodeId id : AllOr(words)) cluster_->ApplyAll(id);
}

void Script::Fetch(const Words& words) {
  for (const NodeId id : AllOr(words)) cluster_->AnswerFetches(id);
}

void Script::Snapshot(const Words& words) {
  for (const NodeId id : AllOr(words)) cluster_->AnswerSnapshots(id);
}

void Script::Compact(const Words& words) {
  cluster_->CompactTo(Node(words.at(0)), LogIndex(Number(words.at(1))));
}

// "propose 1 text", or "propose 1 text within 2s".
void Script::Propose(const Words& words) {
  Instant deadline = kNever;
  if (words.size() == 4) deadline = cluster_->now() + NodeOf(words[0]).ahead + Time(words[3]);
  cluster_->Propose(Node(words.at(0)).value(), words.at(1), deadline);
}

// "propose-many 1 100": so many small entries in one step.
void Script::ProposeMany(const Words& words) {
  TestNode& node = NodeOf(words.at(0));
  for (std::uint64_t i = Number(words.at(1)); i > 1; --i) {
    raft::Propose propose;
    propose.request = RequestId(1000000 + i);
    propose.body = Payload("x");
    node.waiting.insert(propose.request.value());
    node.inbox.push_back(std::move(propose));
  }
  cluster_->Propose(node.id.value(), "x");
}

void Script::Read(const Words& words) {
  raft::Read read;
  if (words.size() == 3) read.deadline = cluster_->now() + NodeOf(words[0]).ahead + Time(words[2]);
  cluster_->Request(Node(words.at(0)).value(), read);
}

void Script::Withdraw(const Words& words) {
  cluster_->Step(Node(words.at(0)).value(), raft::Withdraw{RequestId(Number(words.at(1)))});
}

void Script::Transfer(const Words& words) {
  const NodeId target = words.size() > 1 ? Node(words[1]) : NodeId();
  cluster_->Request(Node(words.at(0)).value(), raft::Transfer{RequestId(), target});
}

void Script::StepDown(const Words& words) {
  cluster_->Request(Node(words.at(0)).value(), raft::StepDown{});
}

void Script::Reconfigure(const Words& words) {
  cluster_->Request(Node(words.at(0)).value(),
                    raft::Reconfigure{RequestId(), Parse(words, 1), kNever});
}

// "crash 1" loses what is not synced; "crash 1 keeping 2" lets two units on their way survive.
void Script::Crash(const Words& words) {
  cluster_->Crash(Node(words.at(0)), words.size() > 2 ? Number(words[2]) : 0);
}

void Script::Start(const Words& words) {
  for (const std::string& word : words) cluster_->Start(Node(word));
}

void Script::Cut(const Words& words) {
  const auto arrow = words.at(0).find("->");
  if (arrow != std::string::npos) {
    cluster_->cuts.insert({Node(words[0].substr(0, arrow)), Node(words[0].substr(arrow + 2))});
    return;
  }
  cluster_->cuts.insert({Node(words[0]), Node(words.at(1))});
  cluster_->cuts.insert({Node(words[1]), Node(words[0])});
}

void Script::Isolate(const Words& words) { cluster_->Isolate(Node(words.at(0)).value()); }

void Script::Heal(const Words&) { cluster_->Heal(); }

void Script::FailStorage(const Words& words) {
  cluster_->Step(Node(words.at(0)).value(), StorageFailure{});
}

void Script::Enable(const Words& words) {
  cluster_->Step(Node(words.at(0)).value(), raft::Enable{true});
}

void Script::Disable(const Words& words) {
  cluster_->Step(Node(words.at(0)).value(), raft::Enable{false});
}

void Script::Stop(const Words& words) { cluster_->Step(Node(words.at(0)).value(), raft::Stop{}); }

void Script::Status(const Words& words) {
  std::vector<NodeId> ids = AllOr(words);
  for (const NodeId id : ids) {
    const CoreStatus s = cluster_->status(id.value());
    std::string line = std::to_string(id.value()) + " " + std::string(ToString(s.role));
    if (s.ready) line += " ready";
    if (s.failed) line += " failed";
    const auto add = [&line](const char* name, std::uint64_t value) {
      line += std::string(" ") + name + " " + std::to_string(value);
    };
    add("term", s.term.value());
    if (s.leader) add("leader", s.leader.value());
    add("last", s.last.value());
    add("durable", s.durable.value());
    add("committed", s.committed.value());
    add("applied", s.applied.value());
    output_.push_back(line);
  }
}

// The log as runs of terms.
void Script::Log(const Words& words) {
  for (const NodeId id : AllOr(words)) {
    const Core& core = cluster_->core(id.value());
    const CoreStatus status = core.Status();
    std::string line = std::to_string(id.value()) + ":";
    if (status.first > LogIndex(1)) {
      line += " boundary " + std::to_string(status.first.Previous().value()) + ",";
    }
    for (LogIndex index = status.first; index <= status.last;) {
      LogIndex end = index;
      while (end < status.last && core.TermAt(end.Next()) == core.TermAt(index)) end = end.Next();
      line += " " + std::to_string(index.value());
      if (end > index) line += ".." + std::to_string(end.value());
      line += "/" + std::to_string(core.TermAt(index).value());
      index = end.Next();
    }
    output_.push_back(line);
  }
}

void Script::Peers(const Words& words) {
  for (std::string& line : cluster_->core(Node(words.at(0)).value()).DescribePeers()) {
    output_.push_back(std::move(line));
  }
}

void Script::Members(const Words& words) {
  for (const NodeId id : AllOr(words)) {
    output_.push_back(std::to_string(id.value()) + ": " +
                      Describe(cluster_->core(id.value()).ActiveConfiguration()));
  }
}

void Script::Delivered(const Words& words) {
  for (const NodeId id : AllOr(words)) {
    std::string line = std::to_string(id.value()) + ":";
    for (const Entry& entry : cluster_->node(id.value()).delivered) {
      line += " " + std::string(entry.body.text());
    }
    output_.push_back(line);
  }
}

}  // namespace kommander::raft::test
