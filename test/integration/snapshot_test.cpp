// Applications with a state machine: entries in spans, snapshots that are taken by themselves, sent
// to whoever lags too far, and imported at a start.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <kommander/file_snapshots.hpp>
#include <kommander/memory_snapshots.hpp>

#include "../conformance/temporary_directory.hpp"
#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

// Everything that a partition was told, as lines of text.
class Lines final : public StateMachine {
 public:
  bool Apply(std::span<const RaftLog> logs) override {
    const std::lock_guard lock(mutex_);
    ++spans_;
    for (const RaftLog& log : logs) {
      if (log.payload().text() == "poison") return false;
      lines_[log.partition()].emplace_back(log.payload().text());
    }
    return true;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId partition) override {
    const std::lock_guard lock(mutex_);
    ++captures_;
    if (refuses_ > 0) {
      --refuses_;
      return nullptr;
    }
    return std::make_shared<Image>(lines_[partition], fails_image_);
  }
  asio::awaitable<bool> Import(PartitionId partition, SnapshotSource& source) override {
    std::string all;
    for (;;) {
      const Payload bytes = co_await source.Read();
      if (bytes.empty()) break;
      all += bytes.text();
    }
    std::vector<std::string> lines;
    for (std::size_t begin = 0; begin < all.size();) {
      const std::size_t end = all.find('\n', begin);
      lines.push_back(all.substr(begin, end - begin));
      begin = end + 1;
    }
    const std::lock_guard lock(mutex_);
    ++imports_;
    lines_[partition] = std::move(lines);
    co_return !fails_import_;
  }
  std::vector<std::string> Of(PartitionId partition) const {
    const std::lock_guard lock(mutex_);
    const auto found = lines_.find(partition);
    return found == lines_.end() ? std::vector<std::string>() : found->second;
  }
  int imports() const {
    const std::lock_guard lock(mutex_);
    return imports_;
  }
  int captures() const {
    const std::lock_guard lock(mutex_);
    return captures_;
  }
  int spans() const {
    const std::lock_guard lock(mutex_);
    return spans_;
  }
  void RefuseCaptures(int count) {
    const std::lock_guard lock(mutex_);
    refuses_ = count;
  }
  void FailImage() {
    const std::lock_guard lock(mutex_);
    fails_image_ = true;
  }
  void FailImport() {
    const std::lock_guard lock(mutex_);
    fails_import_ = true;
  }

 private:
  struct Image final : SnapshotImage {
    Image(std::vector<std::string> copy, bool is_failing)
        : lines(std::move(copy)), fails(is_failing) {}
    asio::awaitable<void> Write(SnapshotSink& sink) override {
      if (fails) throw std::runtime_error("no image today");
      for (const std::string& line : lines) {
        Payload bytes(line + "\n");
        co_await sink.Write(std::move(bytes));
      }
    }
    const std::vector<std::string> lines;
    const bool fails;
  };
  mutable std::mutex mutex_;
  std::map<PartitionId, std::vector<std::string>> lines_;
  int imports_ = 0;
  int captures_ = 0;
  int spans_ = 0;
  int refuses_ = 0;
  bool fails_import_ = false;
  bool fails_image_ = false;
};

void Eager(RaftConfiguration& configuration) {
  configuration.CompactionStep(8).RetainedEntries(0).SnapshotEntries(20);
}

// A store in files whose disk fails when the test says so.
class FailingStore final : public SnapshotStore {
 public:
  explicit FailingStore(const std::string& directory)
      : directory_(directory), inside_(MakeFileSnapshots(directory)) {}
  // The next appends fail, or the next publications.
  void FailAppends(int count) { appends_ = count; }
  void FailPublications(int count) { publications_ = count; }
  void SetFreeBytes(std::uint64_t bytes) { free_bytes_ = bytes; }
  [[nodiscard]] int failures() const { return failures_; }
  [[nodiscard]] bool HasDraft() const {
    std::error_code ignored;
    std::filesystem::directory_iterator files(directory_, ignored);
    return std::any_of(begin(files), end(files), [](const auto& file) {
      const std::string extension = file.path().extension().string();
      return extension == ".taken" || extension == ".received";
    });
  }

  error_code Open(NodeId node, Incarnation incarnation, std::string& detail) override {
    return inside_->Open(node, incarnation, detail);
  }
  error_code List(PartitionId partition, std::vector<SnapshotInfo>& infos) override {
    return inside_->List(partition, infos);
  }
  error_code Read(PartitionId partition, LogIndex index, std::uint64_t offset,
                  std::size_t bytes_max, Payload& bytes) override {
    return inside_->Read(partition, index, offset, bytes_max, bytes);
  }
  error_code Verify(PartitionId partition, LogIndex index) override {
    return inside_->Verify(partition, index);
  }
  error_code Begin(PartitionId partition, Draft draft) override {
    return inside_->Begin(partition, draft);
  }
  error_code Append(PartitionId partition, Draft draft, ByteSpan bytes) override {
    if (Fails(appends_)) return RaftErrc::SnapshotFailed;
    return inside_->Append(partition, draft, bytes);
  }
  error_code Publish(PartitionId partition, Draft draft, SnapshotInfo& info,
                     const std::optional<Sha256>& expected) override {
    if (Fails(publications_)) return RaftErrc::SnapshotFailed;
    return inside_->Publish(partition, draft, info, expected);
  }
  void Discard(PartitionId partition, Draft draft) noexcept override {
    inside_->Discard(partition, draft);
  }
  error_code Remove(PartitionId partition, LogIndex index) override {
    return inside_->Remove(partition, index);
  }
  error_code Delete(PartitionId partition) override { return inside_->Delete(partition); }
  void Close() noexcept override { inside_->Close(); }
  std::optional<std::uint64_t> FreeBytes() const noexcept override { return free_bytes_; }

 private:
  bool Fails(std::atomic<int>& left) {
    if (left <= 0) return false;
    --left;
    ++failures_;
    return true;
  }
  const std::string directory_;
  const std::shared_ptr<SnapshotStore> inside_;
  std::atomic<int> appends_{0};
  std::atomic<int> publications_{0};
  std::atomic<int> failures_{0};
  std::atomic<std::uint64_t> free_bytes_{RaftConfiguration().free_bytes_min() / 2};
};

// A cluster whose nodes have state machines and stores for snapshots that survive restarts.
struct Cluster {
  explicit Cluster(std::uint32_t nodes, TestCluster::Tuning tuning = Eager,
                   std::shared_ptr<SnapshotStore> last_store = nullptr)
      : cluster(world.executor(), nodes, std::move(tuning)), machines(nodes), stores(nodes) {
    for (auto& store : stores) store = MakeMemorySnapshots();
    if (last_store != nullptr) stores.back() = std::move(last_store);
    for (std::uint32_t id = 1; id <= nodes; ++id) Create(id);
    cluster.JoinAll();
  }
  void Create(std::uint32_t id) {
    cluster.Create(id);
    machines[id - 1] = std::make_shared<Lines>();
    cluster.raft(id).OnLogRestored({}).OnReplicationReceived({});
    cluster.raft(id).UseStateMachine(machines[id - 1]).UseSnapshots(stores[id - 1]);
  }
  void Restart(std::uint32_t id) {
    cluster.Stop(id);
    Create(id);
    Answer<> join;
    cluster.raft(id).JoinCluster(join.Token());
    join.Get();
  }
  void WriteMany(PartitionId partition, int count) {
    for (int i = 0; i < count; ++i) cluster.Write(partition, std::to_string(++written));
  }
  Lines& machine(std::uint32_t id) { return *machines[id - 1]; }
  // Until the node's application has that line last.
  void WaitForLine(std::uint32_t id, PartitionId partition, const std::string& line) {
    CAPTURE(id, line);
    REQUIRE(Eventually([&] {
      const auto lines = machine(id).Of(partition);
      return !lines.empty() && lines.back() == line;
    }));
  }
  void Finish() {
    cluster.StopAll();
    CHECK_FALSE(cluster.AnythingMisplaced());
    world.Finish();
  }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
  std::vector<std::shared_ptr<Lines>> machines;
  std::vector<std::shared_ptr<SnapshotStore>> stores;
  int written = 0;
};

std::vector<std::string> Numbers(int to) {
  std::vector<std::string> lines;
  for (int i = 1; i <= to; ++i) lines.push_back(std::to_string(i));
  return lines;
}

TEST_CASE("a state machine gets everything once, in order, and snapshots shorten the log") {
  Cluster three(3);
  three.WriteMany(1, 200);
  for (std::uint32_t id = 1; id <= 3; ++id) {
    three.WaitForLine(id, 1, "200");
    CHECK(three.machine(id).Of(1) == Numbers(200));
    CAPTURE(id);
    REQUIRE(Eventually([&] { return three.cluster.raft(id).Status(1).first > LogIndex(100); }));
  }
  three.Finish();
}

TEST_CASE("a restart imports the newest snapshot and applies what comes after it") {
  Cluster sole(1);
  sole.WriteMany(1, 100);
  sole.WaitForLine(1, 1, "100");
  REQUIRE(Eventually([&] { return sole.cluster.raft(1).Status(1).first > LogIndex(60); }));
  sole.cluster.Write(1, "101");
  sole.Restart(1);
  CHECK(sole.machine(1).imports() >= 1);
  sole.cluster.Write(1, "end");
  sole.WaitForLine(1, 1, "end");
  std::vector<std::string> expected = Numbers(101);
  expected.emplace_back("end");
  CHECK(sole.machine(1).Of(1) == expected);
  sole.Finish();
}

TEST_CASE("a follower whose entries are gone gets a snapshot, of every partition") {
  Cluster three(3);
  auto& cluster = three.cluster;
  three.WriteMany(1, 5);
  three.WaitForLine(3, 1, "5");
  cluster.Isolate(3);
  three.WriteMany(1, 150);
  for (bool is_set = false; !is_set;) {
    Answer<ReplicateResult> set;
    cluster.raft(cluster.WaitForLeader(kSystemPartition))
        .SetClusterSetting("name", "value", ReplicateOptions().Timeout(std::chrono::seconds(1)),
                           set.Token());
    is_set = !set.Wait();
  }
  three.WriteMany(kSystemPartition, 60);
  for (const std::uint32_t partition : {0u, 1u}) {
    const LogIndex behind = cluster.raft(3).Status(partition).last;
    for (std::uint32_t id = 1; id <= 2; ++id) {
      REQUIRE(Eventually([&] { return cluster.raft(id).Status(partition).first > behind.Next(); }));
    }
  }
  cluster.Isolate(3, false);
  three.WaitForLine(3, 1, "155");
  CHECK(three.machine(3).Of(1) == Numbers(155));
  CHECK(three.machine(3).imports() >= 1);
  three.WaitForLine(3, kSystemPartition, "215");
  CHECK(three.machine(3).Of(kSystemPartition).size() == 60);
  // And it goes on from there.
  cluster.Write(1, "more");
  three.WaitForLine(3, 1, "more");
  REQUIRE(Eventually([&] {
    const PartitionStatus one = cluster.raft(1).Status(1);
    const PartitionStatus other = cluster.raft(3).Status(1);
    return one.applied == other.applied && one.digest == other.digest;
  }));
  CHECK(cluster.raft(3).GetPartitionMap() == cluster.raft(1).GetPartitionMap());
  CHECK(cluster.raft(3).GetClusterSetting("name")->value == Payload("value"));
  // What came by snapshot is there after a restart, too.
  three.Restart(3);
  cluster.Write(1, "after");
  three.WaitForLine(3, 1, "after");
  CHECK(three.machine(3).Of(1) == three.machine(1).Of(1));
  three.Finish();
}

TEST_CASE("open tickets and sessions come with a snapshot") {
  Cluster three(3);
  auto& cluster = three.cluster;
  const std::uint32_t leader = cluster.WaitForLeader(1);
  const std::uint32_t absent = leader % 3 + 1;
  cluster.Isolate(absent);
  Answer<ReplicateResult> prepared;
  cluster.raft(cluster.WaitForLeader(1))
      .ReplicateLogs(1, "Text", "prepared", ReplicateOptions().Manual(), prepared.Token());
  const Ticket ticket = prepared.Get().ticket;
  three.WriteMany(1, 100);
  // The ticket holds the log back; the absent node is sent entries or a snapshot as may be.
  cluster.Isolate(absent, false);
  three.WaitForLine(absent, 1, "100");
  for (;;) {
    Answer<ReplicateResult> committed;
    cluster.raft(cluster.WaitForLeader(1)).CommitLogs(1, ticket, committed.Token());
    if (!committed.Wait()) break;
    REQUIRE(IsRetryable(committed.error()));
  }
  three.WaitForLine(absent, 1, "prepared");
  three.Finish();
}

TEST_CASE("a span that is refused is told payload by payload, and the order goes on") {
  Cluster sole(1);
  sole.cluster.Write(1, "before");
  sole.cluster.Write(1, "poison");
  sole.cluster.Write(1, "after");
  sole.WaitForLine(1, 1, "after");
  const Journal& journal = sole.cluster.journal(1);
  journal.WaitFor("the failed payload", [](const std::vector<Event>& events) {
    return std::any_of(events.begin(), events.end(), [](const Event& event) {
      return event.kind == Event::Kind::kFailed && event.text == "poison";
    });
  });
  sole.Finish();
}

TEST_CASE("an image that cannot be had now is asked for again") {
  Cluster sole(1, [](RaftConfiguration& configuration) {
    Eager(configuration);
    configuration.SnapshotEntries(10);
  });
  sole.machine(1).RefuseCaptures(1);
  sole.WriteMany(1, 30);
  CHECK(Eventually([&] { return sole.machine(1).captures() >= 1; }));
  CHECK(sole.cluster.raft(1).Status(1).first == LogIndex(1));
  sole.Finish();
}

TEST_CASE("what a snapshot that failed has written is gone at once") {
  const conformance::TemporaryDirectory directory;
  const auto store = std::make_shared<FailingStore>(directory.path());
  Cluster sole(1, Eager, store);
  SECTION("while it is written") { store->FailAppends(1); }
  SECTION("as it is published") { store->FailPublications(1); }
  SECTION("by a disk that is nearly full") {
    store->SetFreeBytes(RaftConfiguration().free_bytes_min() / 2 - 1);
  }
  SECTION("by the application") { sole.machine(1).FailImage(); }
  sole.WriteMany(1, 30);
  const RaftManager& raft = sole.cluster.raft(1);
  REQUIRE(Eventually([&] { return raft.GetPartitionStatistics(1).snapshots_failed == 1; }));
  CHECK_FALSE(store->HasDraft());
  sole.Finish();
}

TEST_CASE("what was received of a snapshot that could not be kept is gone, and the leader counts") {
  const conformance::TemporaryDirectory directory;
  const auto store = std::make_shared<FailingStore>(directory.path());
  Cluster three(3, Eager, store);
  auto& cluster = three.cluster;
  cluster.MakeLeader(1, 1);
  cluster.Stop(3);
  three.WriteMany(1, 100);
  REQUIRE(Eventually([&] { return cluster.raft(1).Status(1).first > LogIndex(60); }));
  const bool is_full = GENERATE(false, true);
  if (is_full) store->SetFreeBytes(0);
  if (!is_full) store->FailAppends(1'000'000);
  three.Create(3);
  Answer<> join;
  cluster.raft(3).JoinCluster(join.Token());
  REQUIRE(Eventually([&] { return is_full || store->failures() >= 2; }));
  const auto not_sent = [&] {
    std::uint64_t count = 0;
    for (std::uint32_t id = 1; id <= 2; ++id) {
      count += cluster.raft(id).GetPartitionStatistics(1).snapshots_not_sent;
    }
    return count;
  };
  CHECK(Eventually([&] { return not_sent() >= 1; }));
  CHECK(Eventually([&] { return !store->HasDraft(); }));
  store->FailAppends(0);
  store->SetFreeBytes(RaftConfiguration().free_bytes_min());
  join.Get();
  three.WaitForLine(3, 1, "100");
  three.Finish();
}

TEST_CASE("an import that fails leaves the partition standing, and a restart tries again") {
  Cluster sole(1);
  sole.WriteMany(1, 100);
  REQUIRE(Eventually([&] { return sole.cluster.raft(1).Status(1).first > LogIndex(60); }));
  sole.cluster.Stop(1);
  sole.Create(1);
  sole.machine(1).FailImport();
  Answer<> join;
  sole.cluster.raft(1).JoinCluster(join.Token());
  REQUIRE(Eventually([&] { return sole.cluster.raft(1).Status(1).failed; }));
  sole.cluster.Stop(1);
  join.Wait();
  sole.Create(1);
  Answer<> again;
  sole.cluster.raft(1).JoinCluster(again.Token());
  again.Get();
  sole.WaitForLine(1, 1, "100");
  sole.Finish();
}

}  // namespace
}  // namespace kommander::test
