// A log without a disk, for tests, benches and examples: nothing in it survives the process.
#pragma once

#include <cstddef>
#include <memory>

#include <kommander/detail/export.hpp>
#include <kommander/wal.hpp>

namespace kommander {

// Keeps its contents as long as the object lives: closing and opening it again is what a restart
// looks like to a node, within one process. Read may run beside Write, from any number of threads.
// A unit that does not follow what is stored is refused whole with InvalidArgument, and so is a
// Write that names units of several file sets.
class KOMMANDER_EXPORT MemoryWal final : public Wal {
 public:
  // `file_sets`: how many the log consists of, at least 1. More than one is for tests of what a
  // store with several of them does to a node.
  explicit MemoryWal(std::size_t file_sets = 1);
  ~MemoryWal() override;
  MemoryWal(const MemoryWal&) = delete;
  MemoryWal& operator=(const MemoryWal&) = delete;

  [[nodiscard]] std::size_t FileSets() const noexcept override;
  // WalLocked while it is open.
  error_code Open(std::optional<StoreIdentity>& identity, std::string& detail) override;
  error_code Create(const StoreIdentity& identity) override;
  error_code ListPartitions(std::vector<PartitionId>& partitions) override;
  error_code Recover(PartitionId partition, RecoveredPartition& recovered) override;
  error_code Write(std::span<const WriteUnit* const> units) override;
  error_code Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries) override;
  error_code DeletePartition(PartitionId partition) override;
  error_code GetMetadata(std::string_view key, std::optional<Payload>& value) override;
  error_code PutMetadata(std::string_view key, const Payload& value) override;
  WalStatistics Statistics() const noexcept override;
  void Close() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kommander
