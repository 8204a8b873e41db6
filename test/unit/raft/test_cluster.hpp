// A few cores, their disks, their appliers and a network between them, all under a test's control:
// nothing moves by itself, time is a number. Checks what must always hold after every step.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "raft/core.hpp"
#include "unit/raft/test_disk.hpp"

namespace kommander::raft::test {

struct TestNode {
  explicit TestNode(Configuration configuration) : disk(std::move(configuration)) {}

  NodeId id;
  CoreOptions options;
  std::unique_ptr<Core> core;  // null while down
  TestDisk disk;
  std::vector<Input> inbox;       // taken by the next step, together
  std::deque<ApplyItem> applier;  // handed off, not applied yet
  std::vector<Entry> delivered;   // to the application, in this life; proposals as they were made
  std::map<LogIndex, Payload> marks;  // ledgers, of this life
  LogIndex handed;                    // of the apply stream of this life
  LogIndex floor;                     // applied_from of this life
  LogIndex committed;                 // of this life, for monotony
  Duration ahead{};                   // of the cluster's clock
  std::vector<Fetch> fetches;
  std::vector<NodeId> snapshots;                    // peers that need one
  std::map<std::uint64_t, Completion> completions;  // by request
  std::set<std::uint64_t> waiting;                  // requests not answered yet
  std::map<std::uint64_t, LogIndex> read_floors;    // what a read asked then must see
};

// Facts about all nodes and all lives, held against every step.
class Checker {
 public:
  void AfterStep(TestNode& node, const Effects& effects);
  void OnSuccess(const std::map<NodeId, std::unique_ptr<TestNode>>& nodes, TestNode& node,
                 const Completion& completion);
  [[nodiscard]] LogIndex highest_commit() const { return highest_commit_; }
  // The lowest index that a read submitted now may be answered with.
  [[nodiscard]] LogIndex highest_answered() const { return highest_answered_; }
  void OnRead(TestNode& node, const Completion& completion);
  [[nodiscard]] std::uint64_t checks() const { return checks_; }

 private:
  struct Written {
    Term previous_term;
    std::string body;
    EntryKind kind;
  };
  struct Committed {
    Term term;
    Term known_in;  // the term in which somebody first knew of the commit
  };

  void CheckRole(const TestNode& node);
  void CheckCommit(TestNode& node);
  void CheckWrite(const TestNode& node, const WriteUnit& unit);
  void CheckMessage(const TestNode& node, const Message& message);
  void CheckApply(TestNode& node, const std::vector<ApplyItem>& items);
  void CheckVerdict(const TestNode& node, const ApplyItem& item);

  std::map<Term, NodeId> leaders_;
  std::map<std::pair<NodeId, Term>, NodeId> votes_;
  std::map<std::pair<LogIndex, Term>, Written> written_;
  std::map<LogIndex, Committed> committed_;
  std::map<LogIndex, Entry> applied_;
  std::map<LogIndex, Verdict> verdicts_;
  std::map<Ticket, LogIndex> delivered_tickets_;  // and where
  LogIndex highest_commit_;
  LogIndex highest_answered_;
  std::uint64_t checks_ = 0;
};

class TestCluster {
 public:
  struct Options {
    std::uint64_t seed = 1;
    CoreOptions core;  // partition, self and seed are filled in
    bool check = true;
  };

  TestCluster(Options options, Configuration configuration);

  // Adds a node that is in nobody's configuration yet; starts it.
  void AddNode(NodeId id, Configuration configuration);
  void Start(NodeId id);
  // The process dies; the first `survivors` units on their way reach the disk.
  void Crash(NodeId id, std::size_t survivors = 0);

  [[nodiscard]] TestNode& node(std::uint32_t id) { return *nodes_.at(NodeId(id)); }
  [[nodiscard]] Core& core(std::uint32_t id) { return *node(id).core; }
  [[nodiscard]] CoreStatus status(std::uint32_t id) { return core(id).Status(); }
  [[nodiscard]] std::map<NodeId, std::unique_ptr<TestNode>>& nodes() { return nodes_; }
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] Checker& checker() { return checker_; }

  // One step with everything in the inbox and `inputs`.
  void Step(NodeId id, std::vector<Input> inputs = {});
  void Step(std::uint32_t id, Input input);
  // A request at a node; answers its number. The step happens at once.
  std::uint64_t Propose(std::uint32_t id, std::string body, Instant deadline = kNever);
  std::uint64_t Request(std::uint32_t id, Input input);  // its request field is filled in

  // Network. Messages wait in `wire` until delivered.
  std::vector<Message> wire;
  void Deliver(std::size_t position);  // to the inbox, then steps
  void DropAll() { wire.clear(); }

  // Disk and applier.
  void SyncOne(NodeId id);
  void SyncAll(NodeId id);
  void ApplyAll(NodeId id);
  void AnswerFetches(NodeId id);
  void AnswerSnapshots(NodeId id);
  // At the last mark of the ledger up to there; none: nowhere.
  void CompactTo(NodeId id, LogIndex index);

  // Lets everything happen that needs no time: messages, disks, appliers, reads from disk.
  void Settle();
  // Time passes; every node steps when its deadline comes, and everything settles.
  void Advance(Duration by);
  // Until some node leads and is ready; 0 if that takes more than `limit`.
  NodeId WaitForLeader(Duration limit = std::chrono::seconds(60));
  [[nodiscard]] NodeId Leader() const;

  // Cut links drop messages when they are sent. Directed.
  std::set<std::pair<NodeId, NodeId>> cuts;
  void Isolate(std::uint32_t id);
  void Heal() { cuts.clear(); }
  void set_now(Instant now) { now_ = now; }
  // Every message that was sent over a link, for tests that count.
  std::uint64_t sent_appends = 0;
  // Sees every step before its effects go anywhere.
  std::function<void(const TestNode&, const CoreStatus& before, const Effects&)> observer;

 private:
  void Take(TestNode& node, Effects& effects);

  Options options_;
  Instant now_;
  std::map<NodeId, std::unique_ptr<TestNode>> nodes_;
  Checker checker_;
  std::uint64_t next_request_ = 1;
  std::uint64_t lives_ = 0;
  Effects effects_;
};

}  // namespace kommander::raft::test
