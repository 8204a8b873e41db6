// The cut of the hash values: complete, even, and well-formed by the same rule that decoding uses.
#include "cluster/partition_map.hpp"

#include <algorithm>

#include "catch.hpp"

namespace kommander::cluster {
namespace {

const std::vector<NodeId> kVoters{NodeId(1), NodeId(2), NodeId(3)};

// By search, not by arithmetic: the only way to know is to look.
std::vector<std::uint32_t> HoldersOf(const std::vector<PartitionRecord>& map, std::uint32_t hash) {
  std::vector<std::uint32_t> holders;
  for (const auto& record : map) {
    if (hash >= record.hash_first && hash <= record.hash_last) holders.push_back(record.id.value());
  }
  return holders;
}

TEST_CASE("one partition holds every hash value") {
  const auto map = CutEvenly(1, kVoters);
  REQUIRE(map.size() == 1);
  CHECK(map[0] == PartitionRecord(1, Generation(1), 0, 0x7fffffff, kVoters));
}

TEST_CASE("a cut routes every hash value to exactly one partition, evenly") {
  const std::uint32_t count = GENERATE(1u, 2u, 3u, 7u, 64u, 1000u, 65'535u);
  const auto map = CutEvenly(count, kVoters);
  REQUIRE(map.size() == count);
  std::uint64_t next = 0;
  std::uint64_t least = kHashMax;
  std::uint64_t most = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    REQUIRE(map[i].id == PartitionId(i + 1));
    REQUIRE(map[i].generation == Generation(1));
    REQUIRE(map[i].hash_first == next);
    REQUIRE(map[i].voters == kVoters);
    const std::uint64_t size = std::uint64_t{map[i].hash_last} - map[i].hash_first + 1;
    least = std::min(least, size);
    most = std::max(most, size);
    next += size;
  }
  CHECK(next == (std::uint64_t{1} << 31));
  CHECK((count == 1 || most - least <= 1));
  CHECK(IsWellFormed(map));
  for (std::uint32_t hash : {0u, 1u, map[0].hash_last, 0x3fffffffu, 0x40000000u, kHashMax}) {
    CHECK(HoldersOf(map, hash).size() == 1);
  }
}

TEST_CASE("a cut sorts its voters and names each once") {
  const auto map = CutEvenly(2, {NodeId(3), NodeId(1), NodeId(3)});
  CHECK(map[0].voters == std::vector<NodeId>{NodeId(1), NodeId(3)});
  CHECK(map[1].voters == map[0].voters);
}

TEST_CASE("no partitions are no map") {
  CHECK(CutEvenly(0, kVoters).empty());
  CHECK_FALSE(IsWellFormed({}));
}

TEST_CASE("a map with any flaw is not well-formed") {
  auto map = CutEvenly(4, kVoters);
  REQUIRE(IsWellFormed(map));
  SECTION("id 0") { map[0].id = 0; }
  SECTION("an id beyond the greatest") { map[3].id = kPartitionIdMax + 1; }
  SECTION("an id twice") { map[1].id = 1; }
  SECTION("ids that descend") { std::swap(map[1].id, map[2].id); }
  SECTION("generation 0") { map[2].generation = Generation(); }
  SECTION("a gap at the front") { map[0].hash_first = 1; }
  SECTION("a gap inside") { ++map[1].hash_first; }
  SECTION("an overlap") { --map[1].hash_first; }
  SECTION("a range that ends before it begins") { map[3].hash_last = map[3].hash_first - 1; }
  SECTION("a gap at the end") { --map[3].hash_last; }
  SECTION("past the end") { ++map[3].hash_last; }
  SECTION("nobody votes") { map[1].voters.clear(); }
  SECTION("voter 0") { map[1].voters = {NodeId(0), NodeId(1)}; }
  SECTION("a voter twice") { map[1].voters = {NodeId(1), NodeId(1)}; }
  SECTION("voters that descend") { map[1].voters = {NodeId(2), NodeId(1)}; }
  CHECK_FALSE(IsWellFormed(map));
}

}  // namespace
}  // namespace kommander::cluster
