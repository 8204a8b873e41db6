// What every Wal must do, as one suite. A backend's test program links the suite and defines
// MakeWalStore. Anyone who writes a Wal of his own can do the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <kommander/wal.hpp>

namespace kommander::conformance {

// A place where a log lives, empty at first.
class WalStore {
 public:
  virtual ~WalStore() = default;
  // A log over this place, not yet open. Asked for again after the last one was closed: a restart.
  virtual std::shared_ptr<Wal> Attach() = 0;
  // Makes the closed store look as a newer version would have written it. False: it has no format.
  virtual bool MakeNewer() { return false; }
  // Reopens from the same files, as opposed to the same memory.
  [[nodiscard]] virtual bool IsPersistent() const { return false; }
};

// Defined by the test program of a backend.
std::unique_ptr<WalStore> MakeWalStore();

// An open log that can be restarted in place.
class OpenStore {
 public:
  OpenStore();
  explicit OpenStore(std::unique_ptr<WalStore> store);
  ~OpenStore();
  OpenStore(const OpenStore&) = delete;
  OpenStore& operator=(const OpenStore&) = delete;

  void Restart();
  void Close();
  Wal& operator*() const { return *wal_; }
  Wal* operator->() const { return wal_.get(); }
  [[nodiscard]] WalStore& store() const { return *store_; }
  [[nodiscard]] const std::optional<StoreIdentity>& identity() const { return identity_; }

 private:
  void Open();
  std::unique_ptr<WalStore> store_;
  std::shared_ptr<Wal> wal_;
  std::optional<StoreIdentity> identity_;
};

// --- Making units and reading back; each requires success ---

Entry MakeEntry(std::uint64_t index, std::uint64_t term, Payload body = "body",
                EntryKind kind = EntryKind::kApplication);
// Entries first..last of one term; bodies name their index and term.
std::vector<Entry> MakeEntries(std::uint64_t first, std::uint64_t last, std::uint64_t term);
BoundaryRecord MakeBoundary(std::uint64_t index, std::uint64_t term);
WriteUnit MakeUnit(PartitionId partition, std::vector<Entry> entries = {});
// A unit that creates the partition at index 0.
WriteUnit MakeCreation(PartitionId partition, std::vector<Entry> entries = {});
StoreIdentity MakeIdentity();

// With one Write for each file set that they lie in.
void WriteAll(Wal& wal, std::span<const WriteUnit> units);
// The partition that is `steps` further in the same file set.
PartitionId SameFileSet(const Wal& wal, PartitionId partition, std::uint32_t steps = 1);
void WriteOne(Wal& wal, const WriteUnit& unit);
RecoveredPartition RecoverOne(Wal& wal, PartitionId partition);
// Everything in first..last, in chunks of at least one entry.
std::vector<Entry> ReadAll(Wal& wal, PartitionId partition, std::uint64_t first,
                           std::uint64_t last);

}  // namespace kommander::conformance
