// What a state machine may rely on while snapshots of it are written and read: nobody else is in
// it, and a state that is torn is never taken for a whole one.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <kommander/memory_snapshots.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

namespace asio = boost::asio;

// Without any lock. Tells whether two of its calls for one partition were ever in it at a time.
class Unguarded final : public StateMachine, public std::enable_shared_from_this<Unguarded> {
 public:
  bool Apply(std::span<const RaftLog> logs) override {
    if (logs.front().partition() != PartitionId(1)) return true;
    const Visit visit(*this);
    applied_ += logs.size();
    return true;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId partition) override {
    return std::make_shared<Image>(shared_from_this(), partition);
  }
  asio::awaitable<bool> Import(PartitionId partition, SnapshotSource& source) override {
    for (bool is_end = false; !is_end;) {
      const Payload bytes = co_await source.Read();
      is_end = bytes.empty();
      if (partition == PartitionId(1)) const Visit visit(*this);
    }
    ++imports_;
    co_return true;
  }
  std::optional<LogIndex> AppliedIndex(PartitionId) override { return own_; }

  void Own(LogIndex index) { own_ = index; }
  [[nodiscard]] bool has_overlapped() const noexcept { return has_overlapped_; }
  [[nodiscard]] int written() const noexcept { return written_; }
  [[nodiscard]] int imports() const noexcept { return imports_; }

 private:
  // Long enough for another one to come.
  class Visit {
   public:
    explicit Visit(Unguarded& machine) : machine_(machine) {
      if (machine_.inside_.fetch_add(1) != 0) machine_.has_overlapped_ = true;
      for (int i = 0; i < 20000; ++i) machine_.work_.fetch_add(1, std::memory_order_relaxed);
    }
    ~Visit() { --machine_.inside_; }

   private:
    Unguarded& machine_;
  };
  struct Image final : SnapshotImage {
    Image(std::shared_ptr<Unguarded> machine, PartitionId of)
        : machine_(std::move(machine)), partition_(of) {}
    asio::awaitable<void> Write(SnapshotSink& sink) override {
      for (int part = 0; part < 16; ++part) {
        if (partition_ == PartitionId(1)) const Visit visit(*machine_);
        Payload bytes(std::string(64 << 10, 'x'));
        co_await sink.Write(std::move(bytes));
      }
      ++machine_->written_;
    }

   private:
    const std::shared_ptr<Unguarded> machine_;
    const PartitionId partition_;
  };

  std::atomic<int> inside_{0};
  std::atomic<std::uint64_t> work_{0};
  std::atomic<bool> has_overlapped_{false};
  std::atomic<int> written_{0};
  std::atomic<int> imports_{0};
  std::uint64_t applied_ = 0;
  std::optional<LogIndex> own_;
};

void Eager(RaftConfiguration& configuration) {
  configuration.CompactionStep(8).RetainedEntries(0).SnapshotEntries(20);
}

// One node, with a machine and a store that outlive it.
struct Sole {
  Sole() : cluster(world.executor(), 1, Eager) {
    Create();
    Join();
  }
  void Create() {
    cluster.Create(1);
    machine = std::make_shared<Unguarded>();
    cluster.raft(1).OnLogRestored({}).OnReplicationReceived({});
    cluster.raft(1).UseStateMachine(machine).UseSnapshots(store);
  }
  void Join() {
    Answer<> join;
    cluster.raft(1).JoinCluster(join.Token());
    join.Get();
  }
  // A snapshot is taken when what was written before has been applied: little is to wait for that.
  void WriteUntil(const std::function<bool()>& holds) {
    for (int i = 0; i < 100000 && !holds(); ++i) {
      cluster.Write(1, std::to_string(i));
      const auto lag = [&] {
        const PartitionStatus status = cluster.raft(1).Status(1);
        return status.committed.value() - status.applied.value();
      };
      if (lag() > 64) REQUIRE(Eventually([&] { return lag() == 0; }));
    }
    INFO(machine->written());
    INFO(cluster.raft(1).Status(1).first.value());
    REQUIRE(holds());
  }
  World world{World::Kind::kFourThreads};
  TestCluster cluster;
  std::shared_ptr<SnapshotStore> store = MakeMemorySnapshots();
  std::shared_ptr<Unguarded> machine;
};

TEST_CASE("while a snapshot is written or read nobody else is in the state machine") {
  Sole sole;
  sole.WriteUntil([&] { return sole.machine->written() >= 6; });
  CHECK_FALSE(sole.machine->has_overlapped());
  sole.cluster.Stop(1);
  sole.Create();
  sole.Join();
  CHECK(sole.machine->imports() >= 1);
  sole.WriteUntil([&] { return sole.machine->written() >= 1; });
  CHECK_FALSE(sole.machine->has_overlapped());
  sole.cluster.StopAll();
  sole.world.Finish();
}

// Its image takes one step after the other until so many payloads have been applied beside it.
class Racing final : public StateMachine, public std::enable_shared_from_this<Racing> {
 public:
  explicit Racing(std::size_t payloads, bool is_held = false)
      : payloads_(payloads), is_held_(is_held) {}
  bool Apply(std::span<const RaftLog> logs) override {
    if (logs.front().partition() != PartitionId(1) || !is_writing_ || is_written_) return true;
    is_applying_ = true;
    const bool was_released = Eventually([&] { return !is_held_; });
    course_ += 'A';
    applied_ += logs.size();
    return was_released;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId partition) override {
    if (partition != PartitionId(1) || is_writing_) return nullptr;
    return std::make_shared<Image>(shared_from_this());
  }
  asio::awaitable<bool> Import(PartitionId, SnapshotSource&) override { co_return true; }

  void Release() noexcept { is_held_ = false; }
  [[nodiscard]] bool is_writing() const noexcept { return is_writing_; }
  [[nodiscard]] bool is_applying() const noexcept { return is_applying_; }
  // An A for each call of Apply while it was written, an S for the steps of the image in between;
  // once it is written.
  [[nodiscard]] bool is_written() const noexcept { return is_written_; }
  [[nodiscard]] const std::string& course() const noexcept { return course_; }

 private:
  struct Image final : SnapshotImage {
    explicit Image(std::shared_ptr<Racing> machine) : machine_(std::move(machine)) {}
    asio::awaitable<void> Write(SnapshotSink&) override {
      machine_->is_writing_ = true;
      while (machine_->applied_ < machine_->payloads_) {
        if (!machine_->course_.ends_with('S')) machine_->course_ += 'S';
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
      }
      machine_->is_written_ = true;
    }

   private:
    const std::shared_ptr<Racing> machine_;
  };

  const std::size_t payloads_;
  std::atomic<bool> is_held_;
  std::atomic<bool> is_writing_{false};
  std::atomic<bool> is_applying_{false};
  std::atomic<bool> is_written_{false};
  std::size_t applied_ = 0;
  std::string course_;
};

void CheckTurns(const Racing& machine) {
  const std::string& course = machine.course();
  INFO(course);
  CHECK(std::count(course.begin(), course.end(), 'A') >= 8);
  CHECK(course.find("AA") == std::string::npos);
}

TEST_CASE("however much is to be applied at once, a snapshot that is written gets its turns") {
  ManualWorld world;
  TestCluster cluster(world.executor(), 1, Eager);
  TestNode& node = cluster.Create(1);
  const auto machine = std::make_shared<Racing>(16 * 1024);
  node->OnLogRestored({}).OnReplicationReceived({});
  node->UseStateMachine(machine).UseSnapshots(MakeMemorySnapshots());
  Answer<> join;
  node->JoinCluster(join.Token());
  world.RunUntil("a leader", [&] { return join.HasCome() && node->AmILeaderQuick(1); });
  std::vector<Answer<ReplicateResult>> writes(30);
  for (const auto& write : writes) node->ReplicateLogs(1, "Text", "x", write.Token());
  world.RunUntil("a snapshot", [&] { return machine->is_writing(); });
  // As many as are applied by one call, in each entry.
  Batch batch;
  for (std::size_t i = 0; i < 1024; ++i) batch.Add("Text", "x");
  std::vector<Answer<ReplicateResult>> more(16);
  for (const auto& write : more) node->ReplicateLogs(1, batch, write.Token());
  world.RunUntil("its end", [&] { return machine->is_written(); });
  CheckTurns(*machine);
  Answer<> stop;
  node->Stop(stop.Token());
  world.RunOut();
  CHECK(stop.count() == 1);
}

TEST_CASE("however much waits to be applied, a snapshot that is written gets its turns") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 1, Eager);
  TestNode& node = cluster.Create(1);
  const auto machine = std::make_shared<Racing>(17, true);
  node->OnLogRestored({}).OnReplicationReceived({});
  node->UseStateMachine(machine).UseSnapshots(MakeMemorySnapshots());
  cluster.JoinAll();
  REQUIRE(Eventually([&] {
    cluster.Write(1, "x");
    return machine->is_applying();
  }));
  // Each is committed by itself, and comes behind the one that is held.
  for (int i = 0; i < 16; ++i) cluster.Write(1, "x");
  machine->Release();
  REQUIRE(Eventually([&] { return machine->is_written(); }));
  CheckTurns(*machine);
  cluster.StopAll();
  world.Finish();
}

TEST_CASE("a state whose import was interrupted is imported again, or the partition fails") {
  Sole sole;
  sole.WriteUntil([&] { return sole.cluster.raft(1).Status(1).first > LogIndex(40); });
  sole.cluster.Stop(1);
  // As a crash leaves it that comes between the log's new beginning and the end of the import.
  const std::shared_ptr<MemoryWal>& wal = sole.cluster.wal(1);
  std::optional<StoreIdentity> identity;
  std::string detail;
  REQUIRE_FALSE(wal->Open(identity, detail));
  RecoveredPartition recovered;
  REQUIRE_FALSE(wal->Recover(1, recovered));
  WriteUnit unit;
  unit.partition = 1;
  unit.application = ApplicationRecord(recovered.boundary.index, recovered.boundary.index);
  const WriteUnit* const units[] = {&unit};
  REQUIRE_FALSE(wal->Write(units));
  wal->Close();

  SECTION("it is there, or a newer one") {
    sole.Create();
    sole.machine->Own(LogIndex(1'000'000));
    sole.Join();
    CHECK(sole.machine->imports() >= 1);
  }
  SECTION("it is gone") {
    sole.store = MakeMemorySnapshots();
    sole.Create();
    sole.machine->Own(LogIndex(1'000'000));
    Answer<> join;
    sole.cluster.raft(1).JoinCluster(join.Token());
    REQUIRE(Eventually([&] { return sole.cluster.raft(1).Status(1).failed; }));
    sole.cluster.Stop(1);
    join.Wait();
    CHECK(sole.machine->imports() == 0);
  }
  sole.cluster.StopAll();
  sole.world.Finish();
}

}  // namespace
}  // namespace kommander::test
