// What others may read of a partition without its strand: a sequence lock over plain words.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <kommander/status.hpp>

#include "runtime/partition_meters.hpp"

namespace kommander::runtime {

// `Words` values published together. One writer at a time, any number of readers; readers never
// block the writer. All accesses are atomic, so there is no data race to excuse.
template <std::size_t Words>
class SequenceLock {
 public:
  using Values = std::array<std::uint64_t, Words>;
  void Store(const Values& values) noexcept {
    const std::uint64_t sequence = sequence_.load(std::memory_order_relaxed);
    sequence_.store(sequence + 1, std::memory_order_relaxed);
    for (std::size_t i = 0; i < Words; ++i) {
      // Release: a reader that sees this value also sees the odd sequence before it.
      words_[i].store(values[i], std::memory_order_release);
    }
    sequence_.store(sequence + 2, std::memory_order_release);
  }
  [[nodiscard]] Values Load() const noexcept {
    for (;;) {
      const std::uint64_t before = sequence_.load(std::memory_order_acquire);
      Values values;
      for (std::size_t i = 0; i < Words; ++i) {
        values[i] = words_[i].load(std::memory_order_acquire);
      }
      if ((before & 1) == 0 && sequence_.load(std::memory_order_relaxed) == before) return values;
    }
  }

 private:
  std::atomic<std::uint64_t> sequence_{0};
  std::array<std::atomic<std::uint64_t>, Words> words_{};
};

// The actor publishes the Raft side after each burst, the applier its pair after each entry.
class PartitionView {
 public:
  PartitionMeters meters;

  void PublishRaft(const PartitionStatus& status) noexcept {
    raft_.Store({static_cast<std::uint64_t>(status.role) | (status.ready ? 0x100u : 0u) |
                     (status.failed ? 0x200u : 0u),
                 status.leader.value(), status.term.value(), status.last.value(),
                 status.durable.value(), status.committed.value(), status.first.value(),
                 status.checkpoint.value(), status.floor.value()});
  }
  void PublishApplied(LogIndex applied, std::uint64_t digest) noexcept {
    applied_.Store({applied.value(), digest});
  }
  // `applied` is read first: it never runs ahead of the `committed` read after it.
  [[nodiscard]] PartitionStatus Read(PartitionId partition) const noexcept {
    PartitionStatus status;
    const auto [applied, digest] = applied_.Load();
    const auto words = raft_.Load();
    status.partition = partition;
    status.role = static_cast<Role>(words[0] & 0xff);
    status.ready = (words[0] & 0x100) != 0;
    status.failed = (words[0] & 0x200) != 0;
    status.leader = NodeId(static_cast<NodeId::Value>(words[1]));
    status.term = Term(words[2]);
    status.last = LogIndex(words[3]);
    status.durable = LogIndex(words[4]);
    status.committed = LogIndex(words[5]);
    status.first = LogIndex(words[6]);
    status.checkpoint = LogIndex(words[7]);
    status.floor = LogIndex(words[8]);
    status.applied = LogIndex(applied);
    status.digest = digest;
    return status;
  }

 private:
  SequenceLock<9> raft_;
  SequenceLock<2> applied_;
};

}  // namespace kommander::runtime
