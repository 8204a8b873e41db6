// What every SnapshotStore must do, as one suite. A store's test program links the suite and
// defines MakeSnapshotPlace. Anyone who writes a store of his own can do the same.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <kommander/snapshot_store.hpp>

namespace kommander::conformance {

// A place where snapshots live, empty at first.
class SnapshotPlace {
 public:
  virtual ~SnapshotPlace() = default;
  // A store over this place, not yet open. Asked for again after the last one was closed.
  virtual std::shared_ptr<SnapshotStore> Attach() = 0;
};

// Defined by the test program of a store.
std::unique_ptr<SnapshotPlace> MakeSnapshotPlace();

inline constexpr NodeId kOwner{7};
inline constexpr Incarnation kDisk{0x77};

// An open store that can be restarted in place.
class OpenSnapshots {
 public:
  OpenSnapshots();
  explicit OpenSnapshots(std::unique_ptr<SnapshotPlace> place);
  ~OpenSnapshots();
  OpenSnapshots(const OpenSnapshots&) = delete;
  OpenSnapshots& operator=(const OpenSnapshots&) = delete;

  void Restart();
  SnapshotStore* operator->() const { return store_.get(); }
  SnapshotStore& operator*() const { return *store_; }
  [[nodiscard]] SnapshotPlace& place() const { return *place_; }

 private:
  void Open();
  std::unique_ptr<SnapshotPlace> place_;
  std::shared_ptr<SnapshotStore> store_;
};

// --- Each requires success ---

// `count` bytes that differ with `salt`.
std::vector<std::byte> MakeBytes(std::size_t count, unsigned salt);
// A complete snapshot of `bytes`, appended in pieces of at most `piece`.
SnapshotInfo PublishOne(SnapshotStore& store, PartitionId partition, std::uint64_t index,
                        const std::vector<std::byte>& bytes, std::size_t piece = 4096,
                        SnapshotStore::Draft draft = SnapshotStore::Draft::kTaken);
std::vector<SnapshotInfo> ListOf(SnapshotStore& store, PartitionId partition);
// All of one, read in pieces of at most `piece`.
std::vector<std::byte> ReadWhole(SnapshotStore& store, PartitionId partition, std::uint64_t index,
                                 std::size_t piece);

}  // namespace kommander::conformance
