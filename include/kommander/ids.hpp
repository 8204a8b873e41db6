// Strong identifiers: two arguments that mean different things cannot be swapped.
// All are trivially copyable values; zero means "none" for every one but PartitionId and LogIndex,
// where zero is the system partition and "before the first entry".
#pragma once

#include <compare>
#include <cstdint>
#include <functional>

namespace kommander {

// An unsigned integer that only compares with, and converts from, its own kind.
template <class Tag, class Representation = std::uint64_t>
class StrongId {
 public:
  using Value = Representation;
  constexpr StrongId() noexcept = default;
  constexpr explicit StrongId(Value value) noexcept : value_(value) {}
  [[nodiscard]] constexpr Value value() const noexcept { return value_; }
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return value_ != 0; }
  friend constexpr auto operator<=>(StrongId, StrongId) noexcept = default;
  friend constexpr bool operator==(StrongId, StrongId) noexcept = default;

 private:
  Value value_ = 0;
};

// One process of the cluster, 1..2^32-1. Its address and its incarnation may change, its id not.
using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;

// Random 64 bits, drawn when a node's store is created: a wiped disk comes back as another one.
using Incarnation = StrongId<struct IncarnationTag>;

// Counts the changes of one partition's place in the partition map; 0: do not check.
using Generation = StrongId<struct GenerationTag>;

// A Raft term (thesis 3.3). 0: before the first election.
class Term : public StrongId<struct TermTag> {
 public:
  using StrongId::StrongId;
  [[nodiscard]] constexpr Term Next() const noexcept { return Term(value() + 1); }
};

// A position in one partition's log. The first entry has index 1; 0 is before it.
class LogIndex : public StrongId<struct LogIndexTag> {
 public:
  using StrongId::StrongId;
  [[nodiscard]] constexpr LogIndex Next() const noexcept { return LogIndex(value() + 1); }
  // The index before; 0 stays 0.
  [[nodiscard]] constexpr LogIndex Previous() const noexcept {
    return LogIndex(value() == 0 ? 0 : value() - 1);
  }
  friend constexpr LogIndex operator+(LogIndex index, std::uint64_t count) noexcept {
    return LogIndex(index.value() + count);
  }
  // Distance from `from` up to `to`; 0 when `to` lies before `from`.
  [[nodiscard]] static constexpr std::uint64_t Distance(LogIndex from, LogIndex to) noexcept {
    return to.value() > from.value() ? to.value() - from.value() : 0;
  }
};

// One Raft group. 0 is the system partition; the only id that an integer converts to by itself.
class PartitionId {
 public:
  constexpr PartitionId() noexcept = default;
  constexpr PartitionId(std::uint32_t value) noexcept : value_(value) {}  // NOLINT: by intent
  [[nodiscard]] constexpr std::uint32_t value() const noexcept { return value_; }
  friend constexpr auto operator<=>(PartitionId, PartitionId) noexcept = default;
  friend constexpr bool operator==(PartitionId, PartitionId) noexcept = default;

 private:
  std::uint32_t value_ = 0;
};

// The partition that holds roster, partition map and settings; not for applications.
inline constexpr PartitionId kSystemPartition{0};
// User partitions have the ids 1..65,535.
inline constexpr std::uint32_t kPartitionIdMax = 65'535;

}  // namespace kommander

template <class Tag, class Representation>
struct std::hash<kommander::StrongId<Tag, Representation>> {
  std::size_t operator()(kommander::StrongId<Tag, Representation> id) const noexcept {
    return std::hash<Representation>()(id.value());
  }
};
template <>
struct std::hash<kommander::PartitionId> {
  std::size_t operator()(kommander::PartitionId id) const noexcept {
    return std::hash<std::uint32_t>()(id.value());
  }
};
