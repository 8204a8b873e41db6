#include "snapshot_conformance.hpp"

#include <algorithm>
#include <thread>

#include "catch.hpp"

namespace kommander::conformance {

OpenSnapshots::OpenSnapshots() : OpenSnapshots(MakeSnapshotPlace()) {}
OpenSnapshots::OpenSnapshots(std::unique_ptr<SnapshotPlace> place) : place_(std::move(place)) {
  Open();
}
OpenSnapshots::~OpenSnapshots() { store_->Close(); }

void OpenSnapshots::Open() {
  store_ = place_->Attach();
  std::string detail;
  const error_code error = store_->Open(kOwner, kDisk, detail);
  INFO(detail);
  REQUIRE(error == error_code());
}

void OpenSnapshots::Restart() {
  store_->Close();
  store_.reset();
  Open();
}

std::vector<std::byte> MakeBytes(std::size_t count, unsigned salt) {
  std::vector<std::byte> bytes(count);
  unsigned state = salt * 2'654'435'761u + 1;
  for (std::byte& byte : bytes) {
    state = state * 1'664'525u + 1'013'904'223u;
    byte = static_cast<std::byte>(state >> 24);
  }
  return bytes;
}

SnapshotInfo PublishOne(SnapshotStore& store, PartitionId partition, std::uint64_t index,
                        const std::vector<std::byte>& bytes, std::size_t piece,
                        SnapshotStore::Draft draft) {
  REQUIRE(store.Begin(partition, draft) == error_code());
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const ByteSpan part = ByteSpan(bytes).subspan(at, std::min(piece, bytes.size() - at));
    REQUIRE(store.Append(partition, draft, part) == error_code());
  }
  SnapshotInfo info(LogIndex(index), Term(3), 0, {});
  REQUIRE(store.Publish(partition, draft, info, std::nullopt) == error_code());
  CHECK(info.bytes == bytes.size());
  return info;
}

std::vector<SnapshotInfo> ListOf(SnapshotStore& store, PartitionId partition) {
  std::vector<SnapshotInfo> infos{SnapshotInfo(LogIndex(99), Term(9), 9, {})};
  REQUIRE(store.List(partition, infos) == error_code());
  return infos;
}

std::vector<std::byte> ReadWhole(SnapshotStore& store, PartitionId partition, std::uint64_t index,
                                 std::size_t piece) {
  std::vector<std::byte> all;
  Payload bytes;
  do {
    REQUIRE(store.Read(partition, LogIndex(index), all.size(), piece, bytes) == error_code());
    REQUIRE(bytes.size() <= piece);
    all.insert(all.end(), bytes.bytes().begin(), bytes.bytes().end());
  } while (bytes.size() == piece);
  return all;
}

namespace {

using Draft = SnapshotStore::Draft;
constexpr PartitionId kPartition{5};

TEST_CASE("snapshots: a new store has none", "[snapshots]") {
  OpenSnapshots store;
  Payload bytes;
  CHECK(ListOf(*store, kPartition).empty());
  CHECK(store->Read(kPartition, LogIndex(1), 0, 10, bytes) == RaftErrc::SnapshotMissing);
  CHECK(store->Verify(kPartition, LogIndex(1)) == RaftErrc::SnapshotMissing);
}

TEST_CASE("snapshots: what is published is there, whole, now and after a restart", "[snapshots]") {
  OpenSnapshots store;
  const std::size_t size = GENERATE(0u, 1u, 4095u, 4096u, 4097u, 300'000u);
  const std::vector<std::byte> bytes = MakeBytes(size, 1);
  const SnapshotInfo info = PublishOne(*store, kPartition, 42, bytes, 1000);
  CHECK(info.index == LogIndex(42));
  CHECK(info.term == Term(3));
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) store.Restart();
    CHECK(ListOf(*store, kPartition) == std::vector{info});
    CHECK(store->Verify(kPartition, LogIndex(42)) == error_code());
    CHECK(ReadWhole(*store, kPartition, 42, 777) == bytes);
    Payload none("x");
    REQUIRE(store->Read(kPartition, LogIndex(42), size, 10, none) == error_code());
    CHECK(none.empty());
    REQUIRE(store->Read(kPartition, LogIndex(42), size + 5, 10, none) == error_code());
    CHECK(none.empty());
  }
}

TEST_CASE("snapshots: the checksum is SHA-256 of all bytes", "[snapshots]") {
  OpenSnapshots store;
  const std::string text = "abc";  // FIPS 180-2, appendix B.1
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  const SnapshotInfo info = PublishOne(*store, kPartition, 1, bytes, 2);
  const std::vector<unsigned> first{0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
  for (std::size_t i = 0; i < first.size(); ++i) {
    CHECK(std::to_integer<unsigned>(info.sha256.at(i)) == first[i]);
  }
}

TEST_CASE("snapshots: several of a partition stay until they are removed", "[snapshots]") {
  OpenSnapshots store;
  const SnapshotInfo nine = PublishOne(*store, kPartition, 9, MakeBytes(50, 9));
  const SnapshotInfo hundred = PublishOne(*store, kPartition, 100, MakeBytes(60, 100));
  const SnapshotInfo two = PublishOne(*store, kPartition, 2, MakeBytes(70, 2));
  const SnapshotInfo other = PublishOne(*store, PartitionId(50), 9, MakeBytes(80, 50));
  store.Restart();
  CHECK(ListOf(*store, kPartition) == std::vector{two, nine, hundred});
  CHECK(ListOf(*store, PartitionId(50)) == std::vector{other});
  REQUIRE(store->Remove(kPartition, LogIndex(9)) == error_code());
  CHECK(store->Remove(kPartition, LogIndex(9)) == error_code());
  CHECK(store->Remove(kPartition, LogIndex(10)) == error_code());
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) store.Restart();
    CHECK(ListOf(*store, kPartition) == std::vector{two, hundred});
    CHECK(ListOf(*store, PartitionId(50)) == std::vector{other});
    CHECK(ReadWhole(*store, kPartition, 100, 7) == MakeBytes(60, 100));
  }
}

TEST_CASE("snapshots: one with the same index takes the other's place", "[snapshots]") {
  OpenSnapshots store;
  (void)PublishOne(*store, kPartition, 9, MakeBytes(5000, 1));
  const SnapshotInfo second = PublishOne(*store, kPartition, 9, MakeBytes(100, 2));
  CHECK(ListOf(*store, kPartition) == std::vector{second});
  CHECK(ReadWhole(*store, kPartition, 9, 64) == MakeBytes(100, 2));
  CHECK(store->Verify(kPartition, LogIndex(9)) == error_code());
}

TEST_CASE("snapshots: a draft is not seen and is gone after a restart", "[snapshots]") {
  OpenSnapshots store;
  REQUIRE(store->Begin(kPartition, Draft::kTaken) == error_code());
  REQUIRE(store->Append(kPartition, Draft::kTaken, MakeBytes(100, 1)) == error_code());
  CHECK(ListOf(*store, kPartition).empty());
  store.Restart();
  CHECK(ListOf(*store, kPartition).empty());
  CHECK(store->Append(kPartition, Draft::kTaken, MakeBytes(1, 1)) == RaftErrc::SnapshotMissing);
  SnapshotInfo info(LogIndex(1), Term(1), 0, {});
  CHECK(store->Publish(kPartition, Draft::kTaken, info, std::nullopt) == RaftErrc::SnapshotMissing);
}

TEST_CASE("snapshots: a draft begun anew has forgotten what it had", "[snapshots]") {
  OpenSnapshots store;
  REQUIRE(store->Begin(kPartition, Draft::kReceived) == error_code());
  REQUIRE(store->Append(kPartition, Draft::kReceived, MakeBytes(9000, 1)) == error_code());
  (void)PublishOne(*store, kPartition, 3, MakeBytes(10, 2), 4, Draft::kReceived);
  CHECK(ReadWhole(*store, kPartition, 3, 64) == MakeBytes(10, 2));
  store.Restart();
  CHECK(store->Verify(kPartition, LogIndex(3)) == error_code());
}

TEST_CASE("snapshots: a draft that is discarded is gone, and the other is not", "[snapshots]") {
  OpenSnapshots store;
  REQUIRE(store->Begin(kPartition, Draft::kReceived) == error_code());
  REQUIRE(store->Append(kPartition, Draft::kReceived, MakeBytes(10, 1)) == error_code());
  REQUIRE(store->Begin(kPartition, Draft::kTaken) == error_code());
  store->Discard(kPartition, Draft::kTaken);
  store->Discard(kPartition, Draft::kTaken);
  SnapshotInfo info(LogIndex(1), Term(1), 0, {});
  CHECK(store->Publish(kPartition, Draft::kTaken, info, std::nullopt) == RaftErrc::SnapshotMissing);
  CHECK(store->Publish(kPartition, Draft::kReceived, info, std::nullopt) == error_code());
  CHECK(ReadWhole(*store, kPartition, 1, 64) == MakeBytes(10, 1));
}

TEST_CASE("snapshots: bytes other than those that were expected are refused", "[snapshots]") {
  OpenSnapshots store;
  const SnapshotInfo kept = PublishOne(*store, kPartition, 9, MakeBytes(500, 1));
  REQUIRE(store->Begin(kPartition, Draft::kReceived) == error_code());
  REQUIRE(store->Append(kPartition, Draft::kReceived, MakeBytes(500, 2)) == error_code());
  SnapshotInfo info(LogIndex(9), Term(3), 0, {});
  CHECK(store->Publish(kPartition, Draft::kReceived, info, kept.sha256) ==
        RaftErrc::SnapshotCorrupted);
  // The draft is gone with it.
  CHECK(store->Publish(kPartition, Draft::kReceived, info, std::nullopt) ==
        RaftErrc::SnapshotMissing);
  store.Restart();
  CHECK(ListOf(*store, kPartition) == std::vector{kept});
  CHECK(ReadWhole(*store, kPartition, 9, 64) == MakeBytes(500, 1));
  REQUIRE(store->Begin(kPartition, Draft::kReceived) == error_code());
  REQUIRE(store->Append(kPartition, Draft::kReceived, MakeBytes(500, 1)) == error_code());
  CHECK(store->Publish(kPartition, Draft::kReceived, info, kept.sha256) == error_code());
}

TEST_CASE("snapshots: nothing is left of a deleted partition", "[snapshots]") {
  OpenSnapshots store;
  (void)PublishOne(*store, kPartition, 9, MakeBytes(500, 1));
  (void)PublishOne(*store, kPartition, 10, MakeBytes(500, 1));
  const SnapshotInfo other = PublishOne(*store, PartitionId(6), 9, MakeBytes(500, 1));
  REQUIRE(store->Begin(kPartition, Draft::kTaken) == error_code());
  REQUIRE(store->Begin(kPartition, Draft::kReceived) == error_code());
  REQUIRE(store->Delete(kPartition) == error_code());
  SnapshotInfo info(LogIndex(1), Term(1), 0, {});
  for (const Draft draft : {Draft::kTaken, Draft::kReceived}) {
    CHECK(store->Publish(kPartition, draft, info, std::nullopt) == RaftErrc::SnapshotMissing);
  }
  for (const bool is_restarted : {false, true}) {
    if (is_restarted) store.Restart();
    CHECK(ListOf(*store, kPartition).empty());
    CHECK(ListOf(*store, PartitionId(6)) == std::vector{other});
  }
}

TEST_CASE("snapshots: another node's store, or another disk's, is refused", "[snapshots]") {
  const auto place = MakeSnapshotPlace();
  std::string detail;
  auto store = place->Attach();
  REQUIRE(store->Open(kOwner, kDisk, detail) == error_code());
  store->Close();
  CHECK(detail.empty());
  const std::pair<NodeId, Incarnation> strangers[] = {{NodeId(8), kDisk},
                                                      {kOwner, Incarnation(0x78)}};
  for (const auto& [node, disk] : strangers) {
    detail.clear();
    store = place->Attach();
    CHECK(store->Open(node, disk, detail) == RaftErrc::WalForeign);
    CHECK_FALSE(detail.empty());
    store->Close();
  }
  detail.clear();
  store = place->Attach();
  CHECK(store->Open(kOwner, kDisk, detail) == error_code());
  CHECK(detail.empty());
  store->Close();
}

// One snapshot is read while others are written, removed and listed.
TEST_CASE("snapshots: different drafts and indices go on from different threads", "[snapshots]") {
  OpenSnapshots store;
  const std::vector<std::byte> bytes = MakeBytes(200'000, 1);
  (void)PublishOne(*store, kPartition, 1, bytes);
  constexpr int kRounds = 30;
  const auto write = [&](PartitionId partition, Draft draft, std::uint64_t first) {
    bool is_good = true;
    for (std::uint64_t index = first; index < first + kRounds; ++index) {
      SnapshotInfo info(LogIndex(index), Term(3), 0, {});
      is_good = is_good && !store->Begin(partition, draft) &&
                !store->Append(partition, draft, bytes) &&
                !store->Publish(partition, draft, info, std::nullopt) &&
                !store->Remove(partition, LogIndex(index - 1));
    }
    return is_good;
  };
  bool wrote[3] = {};
  std::thread taken([&] { wrote[0] = write(kPartition, Draft::kTaken, 1000); });
  std::thread received([&] { wrote[1] = write(kPartition, Draft::kReceived, 2000); });
  std::thread other([&] { wrote[2] = write(PartitionId(6), Draft::kTaken, 1000); });
  bool is_read = true;
  for (int i = 0; i < kRounds; ++i) {
    Payload read;
    std::vector<SnapshotInfo> infos;
    is_read = is_read && !store->Read(kPartition, LogIndex(1), 0, bytes.size(), read) &&
              std::ranges::equal(read.bytes(), bytes) && !store->List(kPartition, infos) &&
              !infos.empty() && infos.front().index == LogIndex(1);
  }
  taken.join();
  received.join();
  other.join();
  CHECK(is_read);
  CHECK(wrote[0]);
  CHECK(wrote[1]);
  CHECK(wrote[2]);
  CHECK(ListOf(*store, kPartition).size() == 3);
}

}  // namespace
}  // namespace kommander::conformance
