// A log whose disk fails, fills up, hangs or loses what it held, when the test says so: for tests
// on real executors and threads, where no simulated disk is at hand.
//
//   const auto wal = std::make_shared<testing::FaultyWal>();
//   RaftManager raft(executor, configuration, wal, transport, discovery);
//   ...
//   wal->FailWrite();   // this node has failed now, as with a broken disk; the others go on
//
// Contract. Everything passes through to the log inside, until a fault is due. Then the call ends
// as with a store that met the fault, and as Wal promises: after a failed write nothing more is
// written, until the log is closed and opened again, which is a restart. A call passes the hook,
// waits while writes are held, is counted, and goes to the log inside, in this order.
//
// A log inside that consists of several file sets, as MemoryWal(3), fails one by one: a failed
// write concerns its own set. Functions that take a file set mean that one, without it any.
//
// All functions may be called at any time from any thread, those of faults also from the hook. Who
// holds writes must release them before the log can close: Stop waits for the write that runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/wal.hpp>

namespace kommander::testing {

class FaultyWal final : public Wal {
 public:
  // What is asked of a log. Those that write, sync before they return.
  enum class Call : std::uint8_t {
    kOpen,
    kListPartitions,
    kRecover,
    kRead,
    kGetMetadata,
    kCreate,  // this and the rest write
    kWrite,
    kDeletePartition,
    kPutMetadata,
  };
  // Runs on the thread that makes the call, and before it; as long as it takes, so does the call.
  // It must not throw.
  using Hook = std::function<void(Call)>;

  FaultyWal();  // over a MemoryWal
  explicit FaultyWal(std::shared_ptr<Wal> inside);
  ~FaultyWal() override;
  FaultyWal(const FaultyWal&) = delete;
  FaultyWal& operator=(const FaultyWal&) = delete;

  // --- What fails: the nth call that writes from now on, 1 being the next; 0 is none ---

  // It ends with StorageFailed, and nothing of it is stored.
  void FailWrite(std::uint64_t nth = 1, std::optional<std::size_t> file_set = std::nullopt);
  // It is stored, but its sync fails: StorageFailed, and a restart finds what nobody was promised.
  void FailSync(std::uint64_t nth = 1, std::optional<std::size_t> file_set = std::nullopt);
  // There is no room for it: FreeBytes() is 0 from then on, and every call that writes fails, also
  // after a restart, until SetFreeBytes.
  void FillUp(std::uint64_t nth = 1);
  // What FreeBytes() says; 0 is a full disk at once, none is what the log inside says. A node that
  // sees too few refuses proposals with DiskFull, and does not fail.
  void SetFreeBytes(std::optional<std::uint64_t> bytes);
  // The nth Read from now on meets a record that does not decode: WalCorrupted, from then on for
  // every Read and Recover of its partition until that is deleted. No other one is concerned.
  void CorruptRead(std::uint64_t nth = 1);

  // --- What takes time ---

  // Calls that write wait inside until Release, which is of all sets. Reads go on.
  void Hold(std::optional<std::size_t> file_set = std::nullopt);
  void Release();
  // Before every call from now on; an empty one is none. One that is running comes to its end.
  void SetHook(Hook hook);

  // --- What came of it ---

  // Calls so far, those included that failed; those that wait are not.
  [[nodiscard]] std::uint64_t calls(Call call) const;
  // Calls of Write that failed, since the beginning: a file set that failed is not to be written to
  // again, so every life of a node adds at most one for each.
  [[nodiscard]] std::uint64_t writes_failed() const;
  // Calls that a fault has met.
  [[nodiscard]] std::uint64_t faults() const;

  // --- Wal ---
  [[nodiscard]] std::size_t FileSets() const noexcept override;
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
  std::optional<std::uint64_t> FreeBytes() const noexcept override;
  WalStatistics Statistics() const noexcept override;
  void Close() noexcept override;

 private:
  class State;
  const std::shared_ptr<Wal> inside_;
  const std::unique_ptr<State> state_;
};

}  // namespace kommander::testing
