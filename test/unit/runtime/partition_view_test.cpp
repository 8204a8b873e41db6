// A view is read whole: never half of one publication and half of another.
#include "runtime/partition_view.hpp"

#include <atomic>
#include <thread>
#include <utility>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::runtime;

TEST_CASE("a reader on another thread never sees a torn pair") {
  SequenceLock<2> lock;
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  // Until the reader has met the writer at work often enough for a tear to show.
  std::thread reader([&] {
    std::uint64_t last = 0;
    for (int changes = 0; changes < 20000;) {
      const auto [a, b] = lock.Load();
      if (b != a * 3) torn.fetch_add(1);
      if (std::exchange(last, a) != a) ++changes;
    }
    done.store(true);
  });
  for (std::uint64_t i = 1; !done.load(std::memory_order_relaxed); ++i) lock.Store({i, i * 3});
  reader.join();
  REQUIRE(torn.load() == 0);
}

TEST_CASE("what is published is what is read") {
  PartitionView view;
  PartitionStatus status;
  status.role = Role::kLeader;
  status.ready = true;
  status.leader = NodeId(4);
  status.term = Term(5);
  status.last = LogIndex(9);
  status.durable = LogIndex(8);
  status.committed = LogIndex(7);
  view.PublishRaft(status);
  view.PublishApplied(LogIndex(6), 0xabcdef);
  const PartitionStatus read = view.Read(3);
  REQUIRE(read.partition == PartitionId(3));
  REQUIRE(read.role == Role::kLeader);
  REQUIRE(read.ready);
  REQUIRE_FALSE(read.failed);
  REQUIRE(read.leader == NodeId(4));
  REQUIRE(read.term == Term(5));
  REQUIRE(read.last == LogIndex(9));
  REQUIRE(read.durable == LogIndex(8));
  REQUIRE(read.committed == LogIndex(7));
  REQUIRE(read.applied == LogIndex(6));
  REQUIRE(read.digest == 0xabcdef);
}
