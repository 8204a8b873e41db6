// A store that does what a test tells it: it can hold calls until the test lets them go, fail the
// nth write, and it judges how it is called. It stores nothing.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <kommander/clock.hpp>
#include <kommander/io_scheduler.hpp>
#include <kommander/wal.hpp>

namespace kommander::test {

// Only ends a test that hangs.
inline constexpr std::chrono::seconds kPatience{60};

// For what cannot be waited for: looks again and again.
template <class Predicate>
[[nodiscard]] bool AwaitTrue(Predicate predicate) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

// Calls pass when the gate is open, or one by one as the test lets them.
class Gate {
 public:
  void Close() {
    const std::lock_guard lock(mutex_);
    open_ = false;
  }
  void Open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  // Lets `count` more calls through a closed gate.
  void Let(std::size_t count) {
    const std::lock_guard lock(mutex_);
    permits_ += count;
    changed_.notify_all();
  }
  // True once `count` calls have come to the gate since the start.
  [[nodiscard]] bool AwaitArrivals(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return arrivals_ >= count; });
  }
  [[nodiscard]] std::size_t arrivals() {
    const std::lock_guard lock(mutex_);
    return arrivals_;
  }

  void Pass() {
    std::unique_lock lock(mutex_);
    ++arrivals_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_ || permits_ > 0; });
    if (!open_) --permits_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  std::size_t permits_ = 0;
  std::size_t arrivals_ = 0;
};

class ScriptedWal final : public Wal {
 public:
  struct WrittenUnit {
    PartitionId partition;
    UnitId unit;
    std::size_t bytes = 0;
  };
  using Batch = std::vector<WrittenUnit>;

  explicit ScriptedWal(std::size_t file_sets = 1) : sets_(file_sets) {}

  Gate writes;  // of partition 0's file set
  Gate reads;
  std::atomic<std::uint64_t> fail_at_write{0};  // of all sets, counted from 1; 0: never
  std::atomic<std::uint64_t> free_bytes{UINT64_MAX};
  mutable std::atomic<int> free_looks{0};
  std::function<void()> on_write;  // on the writer's thread, set before the start

  [[nodiscard]] std::size_t FileSets() const noexcept override { return sets_.size(); }
  Gate& writes_of(std::size_t set) { return set == 0 ? writes : sets_[set].gate; }
  // Its next write fails.
  void FailSet(std::size_t set) { sets_[set].fails = true; }
  [[nodiscard]] bool is_writing(std::size_t set) const noexcept { return sets_[set].writers > 0; }
  [[nodiscard]] bool has_failed(std::size_t set) const noexcept { return sets_[set].failed; }

  // What has been called, in order.
  [[nodiscard]] std::vector<Batch> batches() const {
    const std::lock_guard lock(mutex_);
    return batches_;
  }
  [[nodiscard]] std::vector<ReadRequest> read_order() const {
    const std::lock_guard lock(mutex_);
    return read_order_;
  }
  // The first breach of the contract of Wal, or nothing.
  [[nodiscard]] std::string breach() const {
    const std::lock_guard lock(mutex_);
    return breach_;
  }
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }
  [[nodiscard]] bool is_writing() const noexcept {
    for (const Set& set : sets_) {
      if (set.writers > 0) return true;
    }
    return false;
  }

  error_code Open(std::optional<StoreIdentity>&, std::string&) override { return {}; }
  error_code Create(const StoreIdentity&) override { return {}; }
  error_code ListPartitions(std::vector<PartitionId>&) override { return {}; }
  error_code Recover(PartitionId, RecoveredPartition&) override { return {}; }

  error_code Write(std::span<const WriteUnit* const> units) override {
    const std::size_t number_of_set = units.empty() ? 0 : FileSetOf(units.front()->partition);
    Set& set = sets_[number_of_set];
    if (set.writers.fetch_add(1) != 0) Breach("two writes of a file set at once");
    if (closed_) Breach("a write after Close");
    if (set.failed) Breach("a write after a failed write");
    if (units.empty()) Breach("an empty write");
    std::set<std::uint32_t> seen;
    Batch batch;
    for (const WriteUnit* unit : units) {
      if (!seen.insert(unit->partition.value()).second) Breach("a partition twice in one write");
      if (FileSetOf(unit->partition) != number_of_set) Breach("two file sets in one write");
      batch.push_back({unit->partition, unit->unit, unit->SizeBytes()});
    }
    std::uint64_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      batches_.push_back(std::move(batch));
      number = batches_.size();
    }
    if (on_write) on_write();
    writes_of(number_of_set).Pass();
    const bool fails = number == fail_at_write || set.fails;
    if (fails) set.failed = true;
    --set.writers;
    return fails ? error_code(RaftErrc::WalUnavailable) : error_code();
  }

  error_code Read(PartitionId partition, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries) override {
    if (closed_) Breach("a read after Close");
    {
      const std::lock_guard lock(mutex_);
      read_order_.push_back({partition, 0, first, last, bytes_max});
      if (!reading_.insert(partition.value()).second) breach_ = "two reads of a lane at once";
    }
    reads.Pass();
    {
      const std::lock_guard lock(mutex_);
      reading_.erase(partition.value());
    }
    entries.emplace_back(Term(1), first, EntryKind::kNoop, Ticket(), Payload());
    return {};
  }

  error_code DeletePartition(PartitionId) override { return {}; }
  error_code GetMetadata(std::string_view, std::optional<Payload>&) override { return {}; }
  error_code PutMetadata(std::string_view, const Payload&) override { return {}; }
  std::optional<std::uint64_t> FreeBytes() const noexcept override {
    ++free_looks;
    return free_bytes.load();
  }
  WalStatistics Statistics() const noexcept override { return {}; }
  void Close() noexcept override {
    if (closed_.exchange(true)) Breach("Close twice");
    if (is_writing()) Breach("Close beside a write");
  }

  void Breach(const char* what) {
    const std::lock_guard lock(mutex_);
    if (breach_.empty()) breach_ = what;
  }

 private:
  struct Set {
    Gate gate;
    std::atomic<int> writers{0};
    std::atomic<bool> fails{false};
    std::atomic<bool> failed{false};
  };

  std::vector<Set> sets_;
  mutable std::mutex mutex_;
  std::vector<Batch> batches_;
  std::vector<ReadRequest> read_order_;
  std::set<std::uint32_t> reading_;
  std::string breach_;
  std::atomic<bool> closed_{false};
};

// Keeps what it is told, in order.
class CollectingSink final : public IoSink {
 public:
  struct Written {
    PartitionId partition;
    UnitId unit;
    error_code error;
  };

  void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept override {
    const std::lock_guard lock(mutex_);
    written_.push_back({partition, unit, error});
    changed_.notify_all();
  }
  void OnRead(ReadResult result) noexcept override {
    const std::lock_guard lock(mutex_);
    reads_.push_back(std::move(result));
    changed_.notify_all();
  }

  [[nodiscard]] std::vector<Written> written() const {
    const std::lock_guard lock(mutex_);
    return written_;
  }
  [[nodiscard]] std::vector<ReadResult> reads() const {
    const std::lock_guard lock(mutex_);
    return reads_;
  }
  // Until every unit of the partition up to `unit` is answered.
  [[nodiscard]] bool AwaitWritten(PartitionId partition, UnitId unit) const {
    return Await([&] {
      for (const Written& told : written_) {
        if (told.partition == partition && (told.unit >= unit || told.error)) return true;
      }
      return false;
    });
  }
  [[nodiscard]] bool AwaitReads(std::size_t count) const {
    return Await([&] { return reads_.size() >= count; });
  }

 private:
  template <class Predicate>
  bool Await(Predicate predicate) const {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, predicate);
  }

  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<Written> written_;
  std::vector<ReadResult> reads_;
};

// Something that happens once, on another thread.
class Event {
 public:
  void Set() {
    const std::lock_guard lock(mutex_);
    ++count_;
    changed_.notify_all();
  }
  [[nodiscard]] bool Await(int count = 1) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return count_ >= count; });
  }
  [[nodiscard]] int count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int count_ = 0;
};

// Stands still until a test moves it.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const noexcept override { return Instant(Duration(now_.load())); }
  [[nodiscard]] std::uint64_t WallMilliseconds() const noexcept override { return 0; }
  [[nodiscard]] std::unique_ptr<Timer> CreateTimer(boost::asio::any_io_executor,
                                                   std::weak_ptr<Sink>) override {
    return nullptr;
  }
  void Advance(Duration by) { now_ += by.count(); }

 private:
  std::atomic<Duration::rep> now_{0};
};

}  // namespace kommander::test
