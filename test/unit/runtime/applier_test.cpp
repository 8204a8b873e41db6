// A state machine between two sources of state: entries that are applied, and snapshots that take
// their place.
#include "runtime/applier.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include <kommander/memory_snapshots.hpp>
#include <kommander/steady_clock.hpp>

#include "catch.hpp"
#include "codec/entry_body.hpp"
#include "held_tasks.hpp"
#include "raft/entry_bodies.hpp"
#include "runtime/snapshot_streams.hpp"

namespace asio = boost::asio;

namespace kommander::runtime {
namespace {

constexpr PartitionId kPartition{1};
constexpr Term kTerm{1};

class NoBytes final : public SnapshotImage {
 public:
  explicit NoBytes(std::function<void()> on_write) : on_write_(std::move(on_write)) {}
  asio::awaitable<void> Write(SnapshotSink&) override {
    on_write_();
    co_return;
  }

 private:
  const std::function<void()> on_write_;
};

class Indexes final : public StateMachine {
 public:
  bool Apply(std::span<const RaftLog> logs) override {
    for (const RaftLog& log : logs) applied.push_back(log.index());
    return true;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId) override { return nullptr; }
  asio::awaitable<bool> Import(PartitionId, SnapshotSource&) override {
    ++imports;
    co_return true;
  }

  std::vector<LogIndex> applied;
  int imports = 0;
};

class Told final : public AppliedSink {
 public:
  void OnApplied(LogIndex) noexcept override {}
  void OnCutPoint(CutPoint point) noexcept override { points.push_back(point.index); }
  void OnCheckpoint(LogIndex, LogIndex kept) noexcept override { floor = kept; }
  void OnSnapshotTaken(error_code error, SnapshotInfo) noexcept override { taken = error; }
  void OnImported(LogIndex index) noexcept override { imported = index; }
  void OnImportFailed() noexcept override { has_failed = true; }

  std::vector<LogIndex> points;  // 0: one that will not be passed
  std::optional<LogIndex> floor;
  std::optional<error_code> taken;
  LogIndex imported;
  bool has_failed = false;
};

struct Delivery {
  Delivery() {
    services->executor = context.get_executor();
    services->clock = MakeSteadyClock();
    services->io = io;
    services->snapshots = MakeMemorySnapshots();
    services->state_machine = machine;
    applier = std::make_shared<Applier>(services, kPartition, LogIndex(), 0, LogIndex(),
                                        std::nullopt, std::make_shared<PartitionView>());
    applier->SetSink(told);
    applier->Start();
    Run();
  }
  ~Delivery() {
    applier->Stop([] {});
    Run();
  }
  // What needs no file.
  void Poll() {
    context.restart();
    context.poll();
  }
  void Run() {
    do {
      Poll();
    } while (io->Run());
  }
  // Until `holds`, step by step; files are left alone.
  void RunUntil(const std::function<bool()>& holds) {
    context.restart();
    while (!holds()) REQUIRE(context.poll_one() == 1);
  }
  void Submit(std::uint64_t first, std::uint64_t last, std::vector<raft::LedgerMark> marks = {}) {
    Payload body;
    const codec::EntryBodyItem item("Text", AsBytes("text"));
    REQUIRE_FALSE(codec::EncodeEntryBody({&item, 1}, body, {}));
    std::vector<raft::ApplyItem> items;
    for (std::uint64_t index = first; index <= last; ++index) {
      items.push_back({Entry(kTerm, LogIndex(index), EntryKind::kApplication, Ticket(), body),
                       raft::Verdict::kDeliver, nullptr});
    }
    applier->Submit(std::move(items), std::move(marks));
  }
  void WriteSnapshot(
      std::uint64_t index, const std::function<void()>& on_write = [] {}) {
    BoundaryRecord boundary;
    boundary.index = LogIndex(index);
    boundary.term = kTerm;
    applier->WriteSnapshot(std::make_shared<NoBytes>(on_write), boundary);
  }
  static SnapshotToImport Snapshot(std::uint64_t index) {
    SnapshotToImport snapshot;
    snapshot.index = LogIndex(index);
    return snapshot;
  }

  asio::io_context context;
  std::shared_ptr<test::HeldTasks> io = std::make_shared<test::HeldTasks>();
  std::shared_ptr<Indexes> machine = std::make_shared<Indexes>();
  std::shared_ptr<NodeServices> services = std::make_shared<NodeServices>(NodeId(2));
  std::shared_ptr<Told> told = std::make_shared<Told>();
  std::shared_ptr<Applier> applier;
};

std::vector<LogIndex> Range(std::uint64_t first, std::uint64_t last) {
  std::vector<LogIndex> indexes;
  for (std::uint64_t index = first; index <= last; ++index) indexes.emplace_back(index);
  return indexes;
}

TEST_CASE("a snapshot that comes amid a batch takes the place of its rest, and of nothing later") {
  Delivery delivery;
  delivery.WriteSnapshot(0);
  delivery.Poll();
  // While that one waits for its file, entries are applied a span at a time.
  raft::LedgerMark passed{LogIndex(1000), kTerm, Payload(), true};
  raft::LedgerMark dropped{LogIndex(2500), kTerm, Payload(), true};
  delivery.Submit(1, 3000, {passed, dropped});
  delivery.RunUntil([&] { return delivery.machine->applied.size() >= 1000; });
  REQUIRE(delivery.machine->applied.size() < 3000);
  delivery.applier->Install(Delivery::Snapshot(5000));
  delivery.Submit(5001, 5003);
  delivery.Run();
  CHECK(delivery.machine->imports == 1);
  CHECK(delivery.told->imported == LogIndex(5000));
  delivery.Submit(5004, 6100);
  delivery.Run();
  std::vector<LogIndex>& applied = delivery.machine->applied;
  const auto later = std::find_if(applied.begin(), applied.end(),
                                  [](LogIndex index) { return index > LogIndex(3000); });
  CHECK(std::vector<LogIndex>(applied.begin(), later) ==
        Range(1, static_cast<std::uint64_t>(later - applied.begin())));
  CHECK(std::vector<LogIndex>(later, applied.end()) == Range(5001, 6100));
  // Each mark is answered for once.
  CHECK(delivery.told->points == std::vector<LogIndex>{LogIndex(1000), LogIndex()});
}

TEST_CASE("a checkpoint lets go what it covers, as far as the application keeps it") {
  Delivery delivery;
  LogIndex expected;
  SECTION("the provider's word goes further") {
    delivery.services->handlers.durable_index = [](PartitionId) { return LogIndex(8); };
    expected = LogIndex(5);
  }
  SECTION("the provider's word ends before") {
    delivery.services->handlers.durable_index = [](PartitionId) { return LogIndex(3); };
    expected = LogIndex(3);
  }
  SECTION("the provider has no opinion") {
    delivery.services->handlers.durable_index = [](PartitionId) { return std::nullopt; };
  }
  SECTION("the newest snapshot ends before") {
    delivery.applier->NoteSnapshot(LogIndex(4));
    expected = LogIndex(4);
  }
  SECTION("a state machine that keeps nothing") {}
  delivery.Submit(1, 9);
  delivery.applier->Submit({{Entry(kTerm, LogIndex(10), EntryKind::kCheckpoint, Ticket(),
                                   raft::Encode(raft::CheckpointBody{LogIndex(5)})),
                             raft::Verdict::kSilent, nullptr}},
                           {});
  delivery.Run();
  CHECK(delivery.told->floor == expected);
}

TEST_CASE("no image is written, and no state imported, once the application may be gone") {
  Delivery delivery;
  bool has_written = false;
  SECTION("a snapshot is about to be written") {
    delivery.WriteSnapshot(7, [&] { has_written = true; });
    delivery.Poll();
    delivery.services->gate.Close();
    delivery.Run();
    CHECK_FALSE(has_written);
    CHECK(delivery.told->taken == error_code(RaftErrc::SnapshotFailed));
  }
  SECTION("one of an earlier life is being looked at") {
    SnapshotToImport snapshot = Delivery::Snapshot(7);
    snapshot.is_old = true;
    SnapshotInfo info(LogIndex(7), kTerm, 0, {});
    SnapshotStore& store = *delivery.services->snapshots;
    REQUIRE_FALSE(store.Begin(kPartition, SnapshotStore::Draft::kTaken));
    REQUIRE_FALSE(store.Publish(kPartition, SnapshotStore::Draft::kTaken, info, std::nullopt));
    delivery.applier->Install(snapshot);
    delivery.Poll();
    delivery.services->gate.Close();
    delivery.Run();
    CHECK(delivery.machine->imports == 0);
    CHECK_FALSE(delivery.told->has_failed);  // nor is the partition done for
  }
}

}  // namespace
}  // namespace kommander::runtime
