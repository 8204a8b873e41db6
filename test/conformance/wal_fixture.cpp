// The vocabulary of the suite: an open store, units, and what was written read back.
#include <map>
#include <string>
#include <utility>

#include "catch.hpp"
#include "wal_conformance.hpp"

namespace kommander::conformance {

OpenStore::OpenStore() : OpenStore(MakeWalStore()) {}
OpenStore::OpenStore(std::unique_ptr<WalStore> store) : store_(std::move(store)) { Open(); }
OpenStore::~OpenStore() { Close(); }

void OpenStore::Open() {
  wal_ = store_->Attach();
  std::string detail;
  identity_.reset();
  const error_code error = wal_->Open(identity_, detail);
  INFO(detail);
  REQUIRE(error == error_code());
}

void OpenStore::Close() {
  if (wal_) wal_->Close();
  wal_.reset();
}

void OpenStore::Restart() {
  Close();
  Open();
}

Entry MakeEntry(std::uint64_t index, std::uint64_t term, Payload body, EntryKind kind) {
  const Ticket ticket(1'700'000'000'000 + index, static_cast<std::uint32_t>(index % 7), NodeId(3));
  return {Term(term), LogIndex(index), kind, ticket, std::move(body)};
}

std::vector<Entry> MakeEntries(std::uint64_t first, std::uint64_t last, std::uint64_t term) {
  std::vector<Entry> entries;
  for (std::uint64_t index = first; index <= last; ++index) {
    entries.push_back(
        MakeEntry(index, term, "entry " + std::to_string(index) + "/" + std::to_string(term)));
  }
  return entries;
}

BoundaryRecord MakeBoundary(std::uint64_t index, std::uint64_t term) {
  BoundaryRecord boundary;
  boundary.index = LogIndex(index);
  boundary.term = Term(term);
  boundary.configuration =
      Configuration({NodeId(1), NodeId(2), NodeId(3)}, {NodeId(9)}, {NodeId(2), NodeId(4)});
  boundary.digest = 0x9e3779b97f4a7c15u * (index + 1);
  boundary.ledger = Payload("ledger at " + std::to_string(index));
  return boundary;
}

WriteUnit MakeUnit(PartitionId partition, std::vector<Entry> entries) {
  WriteUnit unit;
  unit.partition = partition;
  unit.entries = std::move(entries);
  return unit;
}

WriteUnit MakeCreation(PartitionId partition, std::vector<Entry> entries) {
  WriteUnit unit = MakeUnit(partition, std::move(entries));
  unit.boundary = MakeBoundary(0, 0);
  return unit;
}

StoreIdentity MakeIdentity() {
  StoreIdentity identity;
  identity.cluster_id = "a cluster";
  identity.node = NodeId(7);
  identity.incarnation = Incarnation(0x0123456789abcdef);
  identity.system_configuration = Configuration({NodeId(7), NodeId(8)});
  return identity;
}

void WriteAll(Wal& wal, std::span<const WriteUnit> units) {
  std::map<std::size_t, std::vector<const WriteUnit*>> by_file_set;
  for (const WriteUnit& unit : units) by_file_set[wal.FileSetOf(unit.partition)].push_back(&unit);
  for (const auto& [file_set, pointers] : by_file_set) {
    REQUIRE(wal.Write(pointers) == error_code());
  }
}

PartitionId SameFileSet(const Wal& wal, PartitionId partition, std::uint32_t steps) {
  return partition.value() + steps * static_cast<std::uint32_t>(wal.FileSets());
}

void WriteOne(Wal& wal, const WriteUnit& unit) { WriteAll(wal, {&unit, 1}); }

RecoveredPartition RecoverOne(Wal& wal, PartitionId partition) {
  RecoveredPartition recovered;
  REQUIRE(wal.Recover(partition, recovered) == error_code());
  return recovered;
}

std::vector<Entry> ReadAll(Wal& wal, PartitionId partition, std::uint64_t first,
                           std::uint64_t last) {
  std::vector<Entry> all;
  while (first <= last) {
    std::vector<Entry> chunk;
    REQUIRE(wal.Read(partition, LogIndex(first), LogIndex(last), 1024, chunk) == error_code());
    if (chunk.empty()) break;
    REQUIRE(chunk.front().index == LogIndex(first));
    first += chunk.size();
    all.insert(all.end(), chunk.begin(), chunk.end());
  }
  return all;
}

}  // namespace kommander::conformance
