// Finds a partition's actor from any thread without a lock. Partitions are only ever added while
// the node runs; the table owns them.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/partition_actor.hpp"

namespace kommander {

class PartitionTable {
 public:
  PartitionTable() = default;
  PartitionTable(const PartitionTable&) = delete;
  PartitionTable& operator=(const PartitionTable&) = delete;
  ~PartitionTable() {
    for (auto& chunk : chunks_) delete chunk.load();
  }

  // Thread-safe. Null: not hosted here.
  [[nodiscard]] runtime::PartitionActor* Find(PartitionId partition) const noexcept {
    if (partition.value() > kPartitionIdMax) return nullptr;
    const Chunk* chunk = chunks_[partition.value() / kChunk].load(std::memory_order_acquire);
    if (chunk == nullptr) return nullptr;
    return (*chunk)[partition.value() % kChunk].load(std::memory_order_acquire);
  }

  // From the node's strand; the id is new and at most kPartitionIdMax.
  void Add(std::shared_ptr<runtime::PartitionActor> actor) {
    const std::uint32_t id = actor->partition().value();
    std::atomic<Chunk*>& place = chunks_[id / kChunk];
    Chunk* chunk = place.load(std::memory_order_relaxed);
    if (chunk == nullptr) {
      chunk = new Chunk{};
      place.store(chunk, std::memory_order_release);
    }
    (*chunk)[id % kChunk].store(actor.get(), std::memory_order_release);
    actors_.push_back(std::move(actor));
  }

  // From the node's strand.
  [[nodiscard]] const std::vector<std::shared_ptr<runtime::PartitionActor>>& actors()
      const noexcept {
    return actors_;
  }

  // Thread-safe; ascending.
  [[nodiscard]] std::vector<PartitionId> Ids() const {
    std::vector<PartitionId> ids;
    for (std::size_t i = 0; i < chunks_.size(); ++i) {
      const Chunk* chunk = chunks_[i].load(std::memory_order_acquire);
      for (std::size_t k = 0; chunk != nullptr && k < kChunk; ++k) {
        if ((*chunk)[k].load(std::memory_order_acquire) != nullptr) {
          ids.emplace_back(static_cast<std::uint32_t>(i * kChunk + k));
        }
      }
    }
    return ids;
  }

 private:
  static constexpr std::uint32_t kChunk = 256;
  using Chunk = std::array<std::atomic<runtime::PartitionActor*>, kChunk>;
  std::array<std::atomic<Chunk*>, (kPartitionIdMax + 1) / kChunk> chunks_{};
  std::vector<std::shared_ptr<runtime::PartitionActor>> actors_;
};

}  // namespace kommander
