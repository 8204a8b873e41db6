// A log that fails when it is told to: what each fault does to the call that it meets, to later
// ones, and to a node.
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/testing/faulty_wal.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::FaultyWal;
using Call = testing::FaultyWal::Call;

error_code Open(Wal& wal) {
  std::optional<StoreIdentity> identity;
  std::string detail;
  return wal.Open(identity, detail);
}

// The entry at this index, after the boundary for the first one.
error_code Append(Wal& wal, PartitionId partition, std::uint64_t index) {
  WriteUnit unit;
  unit.partition = partition;
  if (index == 1) unit.boundary.emplace();
  unit.entries.emplace_back(Term(1), LogIndex(index), EntryKind::kApplication, Ticket(),
                            Payload(std::to_string(index)));
  const WriteUnit* const units[] = {&unit};
  return wal.Write(units);
}

std::size_t CountEntries(Wal& wal, PartitionId partition) {
  std::vector<Entry> entries;
  REQUIRE_FALSE(wal.Read(partition, LogIndex(1), LogIndex(100), 1'000'000, entries));
  return entries.size();
}

void Restart(Wal& wal) {
  wal.Close();
  REQUIRE_FALSE(Open(wal));
}

TEST_CASE("the write that fails leaves nothing, and ends all writing until a restart") {
  FaultyWal wal;
  REQUIRE_FALSE(Open(wal));
  REQUIRE_FALSE(Append(wal, 1, 1));
  wal.FailWrite(2);
  CHECK_FALSE(Append(wal, 1, 2));
  CHECK(Append(wal, 1, 3) == RaftErrc::StorageFailed);
  CHECK(Append(wal, 1, 3) == RaftErrc::StorageFailed);
  CHECK(wal.PutMetadata("key", Payload("value")) == RaftErrc::StorageFailed);
  CHECK(wal.DeletePartition(1) == RaftErrc::StorageFailed);
  CHECK(wal.Create(StoreIdentity()) == RaftErrc::StorageFailed);
  CHECK(wal.faults() == 1);
  CHECK(wal.writes_failed() == 2);
  CHECK(wal.calls(Call::kWrite) == 4);
  CHECK(CountEntries(wal, 1) == 2);
  Restart(wal);
  CHECK(CountEntries(wal, 1) == 2);
  CHECK_FALSE(Append(wal, 1, 3));
}

TEST_CASE("the write whose sync fails is found by a restart") {
  FaultyWal wal;
  REQUIRE_FALSE(Open(wal));
  wal.FailSync(3);
  REQUIRE_FALSE(wal.PutMetadata("key", Payload("value")));
  REQUIRE_FALSE(Append(wal, 1, 1));
  CHECK(Append(wal, 1, 2) == RaftErrc::StorageFailed);
  CHECK(Append(wal, 1, 3) == RaftErrc::StorageFailed);
  Restart(wal);
  CHECK(CountEntries(wal, 1) == 2);
  CHECK_FALSE(Append(wal, 1, 3));
}

TEST_CASE("a full disk stays full over a restart, until there is room") {
  FaultyWal wal;
  REQUIRE_FALSE(Open(wal));
  CHECK(wal.FreeBytes() == std::nullopt);
  wal.SetFreeBytes(7);
  CHECK(wal.FreeBytes() == 7u);
  wal.FillUp(2);
  REQUIRE_FALSE(Append(wal, 1, 1));
  CHECK(Append(wal, 1, 2) == RaftErrc::StorageFailed);
  CHECK(wal.FreeBytes() == 0u);
  Restart(wal);
  CHECK(Append(wal, 1, 2) == RaftErrc::StorageFailed);
  wal.SetFreeBytes(1'000'000);
  // A store that failed is not mended by room.
  CHECK(Append(wal, 1, 2) == RaftErrc::StorageFailed);
  Restart(wal);
  CHECK_FALSE(Append(wal, 1, 2));
  CHECK(wal.faults() == 2);
}

TEST_CASE("a damaged record concerns its partition, until that is deleted") {
  FaultyWal wal;
  REQUIRE_FALSE(Open(wal));
  REQUIRE_FALSE(Append(wal, 1, 1));
  REQUIRE_FALSE(Append(wal, 2, 1));
  wal.CorruptRead(2);
  CHECK(CountEntries(wal, 1) == 1);
  std::vector<Entry> entries;
  RecoveredPartition recovered;
  CHECK(wal.Read(1, LogIndex(1), LogIndex(1), 1'000, entries) == RaftErrc::WalCorrupted);
  CHECK(entries.empty());
  Restart(wal);
  CHECK(wal.Recover(1, recovered) == RaftErrc::WalCorrupted);
  CHECK_FALSE(wal.Recover(2, recovered));
  CHECK(CountEntries(wal, 2) == 1);
  REQUIRE_FALSE(wal.DeletePartition(1));
  REQUIRE_FALSE(Append(wal, 1, 1));
  CHECK(CountEntries(wal, 1) == 1);
}

TEST_CASE("writes are held, reads are not, and the held write meets what came meanwhile") {
  FaultyWal wal;
  REQUIRE_FALSE(Open(wal));
  REQUIRE_FALSE(Append(wal, 1, 1));
  wal.Hold();
  std::promise<void> arrived;
  wal.SetHook([&](Call call) {
    if (call == Call::kWrite) arrived.set_value();
  });
  std::future<error_code> held = std::async(std::launch::async, [&] { return Append(wal, 1, 2); });
  arrived.get_future().wait();
  CHECK(CountEntries(wal, 1) == 1);
  CHECK(wal.calls(Call::kWrite) == 1);
  wal.FailWrite();
  wal.Release();
  CHECK(held.get() == RaftErrc::StorageFailed);
  CHECK(wal.calls(Call::kWrite) == 2);
}

TEST_CASE("a hook runs before every call, takes its time, and may let the call fail") {
  FaultyWal wal;
  std::vector<Call> seen;
  wal.SetHook([&](Call call) {
    seen.push_back(call);
    if (call == Call::kPutMetadata) wal.FailWrite();
  });
  REQUIRE_FALSE(Open(wal));
  REQUIRE_FALSE(Append(wal, 1, 1));
  CHECK(wal.PutMetadata("key", Payload("value")) == RaftErrc::StorageFailed);
  CHECK(seen == std::vector<Call>{Call::kOpen, Call::kWrite, Call::kPutMetadata});
  wal.SetHook({});
  CHECK(CountEntries(wal, 1) == 1);
  CHECK(seen.size() == 3);

  // A stall that ends when something else has happened.
  std::promise<void> begun, end;
  wal.SetHook([&begun, stalled = end.get_future().share()](Call) {
    begun.set_value();
    stalled.wait();
  });
  std::future<std::size_t> read =
      std::async(std::launch::async, [&] { return CountEntries(wal, 1); });
  begun.get_future().wait();
  wal.SetHook({});
  const std::uint64_t reads = wal.calls(Call::kRead);
  CHECK(CountEntries(wal, 1) == 1);
  CHECK(wal.calls(Call::kRead) == reads + 1);  // the other one is still on its way
  end.set_value();
  CHECK(read.get() == 1);
  CHECK(wal.calls(Call::kRead) == reads + 2);
}

TEST_CASE("faults may be set while any number of threads uses the log") {
  FaultyWal wal;
  REQUIRE_FALSE(Open(wal));
  REQUIRE_FALSE(Append(wal, 1, 1));
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (std::uint64_t index = 2; !Append(wal, 1, index); ++index) {
    }
  });
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      std::vector<Entry> entries;
      while (wal.Read(1, LogIndex(1), LogIndex(2), 1'000, entries) != RaftErrc::WalCorrupted) {
        entries.clear();
      }
    });
  }
  wal.SetHook([](Call) {});
  wal.Hold();
  wal.SetFreeBytes(1);
  wal.Release();
  wal.SetHook({});
  wal.CorruptRead(100);
  wal.FailSync(100);
  for (std::thread& thread : threads) thread.join();
  CHECK(wal.writes_failed() == 1);
  CHECK(wal.faults() >= 2);
}

// --- A node ---

// One life of a node that is a cluster by itself, over a log that stays.
class Life {
 public:
  explicit Life(std::shared_ptr<Wal> wal)
      : raft_(context_.get_executor(), Configure(), std::move(wal),
              MemoryNetwork::Create()->CreateTransport(MakeSteadyClock()),
              std::make_shared<StaticDiscovery>(Members())) {
    const auto keep = [this](const RaftLog& log) { lines_.emplace_back(log.payload().text()); };
    raft_.OnLogRestored(keep);
    raft_.OnReplicationReceived(keep);
  }
  RaftManager& raft() noexcept { return raft_; }
  const std::vector<std::string>& lines() const noexcept { return lines_; }
  void Run(asio::awaitable<void> work) {
    std::future<void> done = asio::co_spawn(context_, std::move(work), asio::use_future);
    context_.run();
    done.get();
  }

 private:
  static std::vector<NodeAddress> Members() { return {NodeAddress(NodeId(1), Endpoint("one", 1))}; }
  static RaftConfiguration Configure() {
    return RaftConfiguration()
        .Id(NodeId(1))
        .Listen(Members().front().endpoint)
        .InitialMembers(Members())
        .ElectionTimeout(100ms);
  }
  asio::io_context context_;
  std::vector<std::string> lines_;
  RaftManager raft_;
};

asio::awaitable<void> Fail(RaftManager& raft, FaultyWal& wal, error_code& answer) {
  co_await raft.JoinCluster();
  co_await raft.WaitForLeader(1);
  co_await raft.ReplicateLogs(1, "line", "kept", ReplicateOptions().AwaitApply());
  wal.FailSync();
  try {
    co_await raft.ReplicateLogs(1, "line", "perhaps");
  } catch (const boost::system::system_error& problem) {
    answer = problem.code();
  }
  co_await raft.Stop();
}

asio::awaitable<void> Rejoin(RaftManager& raft) {
  co_await raft.JoinCluster();
  co_await raft.WaitForLeader(1);
  co_await raft.ReplicateLogs(1, "line", "new", ReplicateOptions().AwaitApply());
  co_await raft.Stop();
}

TEST_CASE("a node whose sync failed does not know, and knows after its restart") {
  const auto wal = std::make_shared<FaultyWal>();
  {
    Life life(wal);
    error_code answer;
    life.Run(Fail(life.raft(), *wal, answer));
    CHECK(IsOutcomeUnknown(answer));
    CHECK(life.lines() == std::vector<std::string>{"kept"});
    CHECK(wal->writes_failed() == 1);
    CHECK(wal->faults() == 1);
  }
  Life life(wal);
  life.Run(Rejoin(life.raft()));
  CHECK(life.lines() == std::vector<std::string>{"kept", "perhaps", "new"});
  CHECK(wal->writes_failed() == 1);
}

asio::awaitable<void> FailToJoin(RaftManager& raft, error_code& answer) {
  try {
    co_await raft.JoinCluster();
  } catch (const boost::system::system_error& problem) {
    answer = problem.code();
  }
  co_await raft.Stop();
}

TEST_CASE("a node does not come to be on a disk that is full from the beginning") {
  const auto wal = std::make_shared<FaultyWal>();
  wal->SetFreeBytes(0);
  Life life(wal);
  error_code answer;
  life.Run(FailToJoin(life.raft(), answer));
  CHECK(answer == RaftErrc::StorageFailed);
  CHECK(wal->calls(Call::kCreate) == 1);
}

}  // namespace
}  // namespace kommander
