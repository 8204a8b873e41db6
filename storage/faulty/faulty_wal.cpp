// When a call of a faulty log fails, and what it leaves behind.
#include <array>
#include <condition_variable>
#include <set>
#include <utility>

#include <kommander/detail/mutex.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/testing/faulty_wal.hpp>

namespace kommander::testing {

namespace {

using FileSet = std::optional<std::size_t>;  // none: any

// Counts down to the call that it is meant for.
class Countdown {
 public:
  void Set(std::uint64_t nth, FileSet file_set) noexcept {
    left_ = nth;
    file_set_ = file_set;
  }
  // One more call, of that set; true: this one.
  bool Tick(std::size_t file_set) noexcept {
    return left_ != 0 && file_set_.value_or(file_set) == file_set && --left_ == 0;
  }

 private:
  std::uint64_t left_ = 0;
  FileSet file_set_;
};

}  // namespace

class FaultyWal::State {
 public:
  enum class Fault { kFailWrite, kFailSync, kFillUp, kCorruptRead, kCount };

  void Expect(Fault fault, std::uint64_t nth, FileSet file_set = {}) {
    const detail::MutexLock lock(mutex_);
    Of(fault).Set(nth, file_set);
  }
  void SetFreeBytes(std::optional<std::uint64_t> bytes) {
    const detail::MutexLock lock(mutex_);
    free_bytes_ = bytes;
  }
  [[nodiscard]] std::optional<std::uint64_t> free_bytes() const {
    const detail::MutexLock lock(mutex_);
    return free_bytes_;
  }
  void Hold(FileSet file_set) {
    const detail::MutexLock lock(mutex_);
    holds_all_ = holds_all_ || !file_set;
    if (file_set) held_.insert(*file_set);
  }
  void Release() {
    const detail::MutexLock lock(mutex_);
    holds_all_ = false;
    held_.clear();
    released_.notify_all();
  }
  void SetHook(Hook hook) {
    auto shared = hook ? std::make_shared<const Hook>(std::move(hook)) : nullptr;
    const detail::MutexLock lock(mutex_);
    hook_.swap(shared);
  }
  [[nodiscard]] std::uint64_t calls(Call call) const {
    const detail::MutexLock lock(mutex_);
    return calls_[static_cast<std::size_t>(call)];
  }
  [[nodiscard]] std::uint64_t writes_failed() const {
    const detail::MutexLock lock(mutex_);
    return writes_failed_;
  }
  [[nodiscard]] std::uint64_t faults() const {
    const detail::MutexLock lock(mutex_);
    return faults_;
  }

  void BeginOpen() {
    RunHook(Call::kOpen);
    const detail::MutexLock lock(mutex_);
    Count(Call::kOpen);
    failed_.clear();
  }
  void BeginReading(Call call) {
    RunHook(call);
    const detail::MutexLock lock(mutex_);
    Count(call);
  }
  // Read and Recover; false: the partition is damaged.
  bool BeginReading(Call call, PartitionId partition) {
    RunHook(call);
    const detail::MutexLock lock(mutex_);
    Count(call);
    if (call == Call::kRead && Of(Fault::kCorruptRead).Tick(0)) damaged_.insert(partition);
    if (!damaged_.contains(partition)) return true;
    ++faults_;
    return false;
  }
  void MendPartition(PartitionId partition) {
    const detail::MutexLock lock(mutex_);
    damaged_.erase(partition);
  }
  // A call that writes: `pass` hands it to the log inside.
  template <class Pass>
  error_code Write(Call call, std::size_t file_set, Pass pass) {
    const Fate fate = BeginWriting(call, file_set);
    if (fate == Fate::kUnwritten) return RaftErrc::StorageFailed;
    const error_code error = pass();
    return fate == Fate::kUnsynced ? RaftErrc::StorageFailed : error;
  }

 private:
  enum class Fate { kGood, kUnwritten, kUnsynced };

  Countdown& Of(Fault fault) KOMMANDER_REQUIRES(mutex_) {
    return countdowns_[static_cast<std::size_t>(fault)];
  }
  void RunHook(Call call) {
    std::shared_ptr<const Hook> hook;
    {
      const detail::MutexLock lock(mutex_);
      hook = hook_;
    }
    if (hook != nullptr) (*hook)(call);
  }
  void Count(Call call) KOMMANDER_REQUIRES(mutex_) { ++calls_[static_cast<std::size_t>(call)]; }
  Fate BeginWriting(Call call, std::size_t file_set) {
    RunHook(call);
    detail::MutexLock lock(mutex_);
    while (holds_all_ || held_.contains(file_set)) released_.wait(lock.native());
    Count(call);
    const bool fails_writing = Of(Fault::kFailWrite).Tick(file_set);
    const bool fails_syncing = Of(Fault::kFailSync).Tick(file_set);
    if (Of(Fault::kFillUp).Tick(file_set)) free_bytes_ = 0;
    Fate fate = Fate::kGood;
    if (failed_.contains(file_set) || fails_writing || free_bytes_ == 0u) {
      fate = Fate::kUnwritten;
    } else if (fails_syncing) {
      fate = Fate::kUnsynced;
    }
    if (fate == Fate::kGood) return fate;
    if (failed_.insert(file_set).second) ++faults_;
    if (call == Call::kWrite) ++writes_failed_;
    return fate;
  }

  mutable detail::Mutex mutex_;
  std::condition_variable released_;
  bool holds_all_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::set<std::size_t> held_ KOMMANDER_GUARDED_BY(mutex_);    // file sets
  std::set<std::size_t> failed_ KOMMANDER_GUARDED_BY(mutex_);  // until the next Open
  std::array<Countdown, static_cast<std::size_t>(Fault::kCount)> countdowns_
      KOMMANDER_GUARDED_BY(mutex_);
  std::optional<std::uint64_t> free_bytes_ KOMMANDER_GUARDED_BY(mutex_);
  std::set<PartitionId> damaged_ KOMMANDER_GUARDED_BY(mutex_);
  std::shared_ptr<const Hook> hook_ KOMMANDER_GUARDED_BY(mutex_);
  std::array<std::uint64_t, static_cast<std::size_t>(Call::kPutMetadata) + 1> calls_
      KOMMANDER_GUARDED_BY(mutex_){};
  std::uint64_t writes_failed_ = 0;
  std::uint64_t faults_ = 0;
};

FaultyWal::FaultyWal() : FaultyWal(std::make_shared<MemoryWal>()) {}
FaultyWal::FaultyWal(std::shared_ptr<Wal> inside)
    : inside_(std::move(inside)), state_(std::make_unique<State>()) {}
FaultyWal::~FaultyWal() = default;

void FaultyWal::FailWrite(std::uint64_t nth, std::optional<std::size_t> file_set) {
  state_->Expect(State::Fault::kFailWrite, nth, file_set);
}
void FaultyWal::FailSync(std::uint64_t nth, std::optional<std::size_t> file_set) {
  state_->Expect(State::Fault::kFailSync, nth, file_set);
}
void FaultyWal::FillUp(std::uint64_t nth) { state_->Expect(State::Fault::kFillUp, nth); }
void FaultyWal::CorruptRead(std::uint64_t nth) { state_->Expect(State::Fault::kCorruptRead, nth); }
void FaultyWal::SetFreeBytes(std::optional<std::uint64_t> bytes) { state_->SetFreeBytes(bytes); }
void FaultyWal::Hold(std::optional<std::size_t> file_set) { state_->Hold(file_set); }
void FaultyWal::Release() { state_->Release(); }
void FaultyWal::SetHook(Hook hook) { state_->SetHook(std::move(hook)); }
std::uint64_t FaultyWal::calls(Call call) const { return state_->calls(call); }
std::uint64_t FaultyWal::writes_failed() const { return state_->writes_failed(); }
std::uint64_t FaultyWal::faults() const { return state_->faults(); }

std::size_t FaultyWal::FileSets() const noexcept { return inside_->FileSets(); }
error_code FaultyWal::Open(std::optional<StoreIdentity>& identity, std::string& detail) {
  state_->BeginOpen();
  return inside_->Open(identity, detail);
}
error_code FaultyWal::Create(const StoreIdentity& identity) {
  return state_->Write(Call::kCreate, 0, [&] { return inside_->Create(identity); });
}
error_code FaultyWal::ListPartitions(std::vector<PartitionId>& partitions) {
  state_->BeginReading(Call::kListPartitions);
  return inside_->ListPartitions(partitions);
}
error_code FaultyWal::Recover(PartitionId partition, RecoveredPartition& recovered) {
  if (!state_->BeginReading(Call::kRecover, partition)) return RaftErrc::WalCorrupted;
  return inside_->Recover(partition, recovered);
}
error_code FaultyWal::Write(std::span<const WriteUnit* const> units) {
  const std::size_t file_set = units.empty() ? 0 : FileSetOf(units.front()->partition);
  return state_->Write(Call::kWrite, file_set, [&] { return inside_->Write(units); });
}
error_code FaultyWal::Read(PartitionId partition, LogIndex first, LogIndex last,
                           std::size_t bytes_max, std::vector<Entry>& entries) {
  if (!state_->BeginReading(Call::kRead, partition)) return RaftErrc::WalCorrupted;
  return inside_->Read(partition, first, last, bytes_max, entries);
}
error_code FaultyWal::DeletePartition(PartitionId partition) {
  return state_->Write(Call::kDeletePartition, FileSetOf(partition), [&] {
    const error_code error = inside_->DeletePartition(partition);
    if (!error) state_->MendPartition(partition);
    return error;
  });
}
error_code FaultyWal::GetMetadata(std::string_view key, std::optional<Payload>& value) {
  state_->BeginReading(Call::kGetMetadata);
  return inside_->GetMetadata(key, value);
}
error_code FaultyWal::PutMetadata(std::string_view key, const Payload& value) {
  return state_->Write(Call::kPutMetadata, 0, [&] { return inside_->PutMetadata(key, value); });
}
std::optional<std::uint64_t> FaultyWal::FreeBytes() const noexcept {
  const std::optional<std::uint64_t> bytes = state_->free_bytes();
  return bytes ? bytes : inside_->FreeBytes();
}
WalStatistics FaultyWal::Statistics() const noexcept { return inside_->Statistics(); }
void FaultyWal::Close() noexcept { inside_->Close(); }

}  // namespace kommander::testing
