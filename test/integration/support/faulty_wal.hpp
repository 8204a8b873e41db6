// A memory log whose disk fails, hangs or fills up when the test says so.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#include <kommander/memory_wal.hpp>

namespace kommander::test {

class FaultyWal final : public Wal {
 public:
  // From now on every write fails, as a store does that has failed once.
  void Fail() { failing_.store(true); }
  // Writes wait inside until Release.
  void Hold() { SetHeld(true); }
  void Release() { SetHeld(false); }
  void SetFreeBytes(std::uint64_t bytes) { free_bytes_.store(bytes); }
  // Calls of Write since Fail: a failed store is not to be written to again.
  [[nodiscard]] int writes_failed() const { return writes_failed_.load(); }

  error_code Open(std::optional<StoreIdentity>& identity, std::string& detail) override {
    return memory_.Open(identity, detail);
  }
  error_code Create(const StoreIdentity& identity) override { return memory_.Create(identity); }
  error_code ListPartitions(std::vector<PartitionId>& partitions) override {
    return memory_.ListPartitions(partitions);
  }
  error_code Recover(PartitionId partition, RecoveredPartition& recovered) override {
    return memory_.Recover(partition, recovered);
  }
  error_code Write(std::span<const WriteUnit* const> units) override {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !held_; });
    }
    if (failing_.load()) {
      ++writes_failed_;
      return RaftErrc::StorageFailed;
    }
    return memory_.Write(units);
  }
  error_code Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries) override {
    return memory_.Read(partition, first, last, bytes_max, entries);
  }
  error_code DeletePartition(PartitionId partition) override {
    return memory_.DeletePartition(partition);
  }
  error_code GetMetadata(std::string_view key, std::optional<Payload>& value) override {
    return memory_.GetMetadata(key, value);
  }
  error_code PutMetadata(std::string_view key, const Payload& value) override {
    return failing_.load() ? error_code(RaftErrc::StorageFailed) : memory_.PutMetadata(key, value);
  }
  std::optional<std::uint64_t> FreeBytes() const noexcept override { return free_bytes_.load(); }
  WalStatistics Statistics() const noexcept override { return memory_.Statistics(); }
  void Close() noexcept override { memory_.Close(); }

 private:
  void SetHeld(bool held) {
    const std::lock_guard lock(mutex_);
    held_ = held;
    changed_.notify_all();
  }
  MemoryWal memory_;
  std::atomic<bool> failing_{false};
  std::atomic<int> writes_failed_{0};
  std::atomic<std::uint64_t> free_bytes_{std::uint64_t{1} << 40};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
};

}  // namespace kommander::test
