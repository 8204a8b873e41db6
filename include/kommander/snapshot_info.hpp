// What two nodes say to each other about a snapshot, and a store about what it has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include <kommander/ids.hpp>

namespace kommander {

using Sha256 = std::array<std::byte, 32>;  // FIPS 180-4

// What is known of a complete snapshot without reading it.
struct SnapshotInfo {
  SnapshotInfo() = default;
  SnapshotInfo(LogIndex snapshot_index, Term snapshot_term, std::uint64_t byte_count,
               const Sha256& checksum)
      : index(snapshot_index), term(snapshot_term), bytes(byte_count), sha256(checksum) {}
  friend bool operator==(const SnapshotInfo&, const SnapshotInfo&) = default;
  LogIndex index;  // of the last entry that it holds
  Term term;       // of that entry
  std::uint64_t bytes = 0;
  Sha256 sha256{};  // of all bytes
};

}  // namespace kommander
