// The composition of writers and readers: who serves which partition, the threads, the life cycle,
// and the caps that concern all file sets together.
#include "runtime/io_scheduler.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <kommander/detail/mutex.hpp>

#include "platform/io_threads.hpp"
#include "runtime/disk_watch.hpp"
#include "runtime/wal_readers.hpp"
#include "runtime/wal_writer.hpp"

namespace kommander::runtime {
namespace {

using Lock = detail::MutexLock;

IoSchedulerOptions Sane(IoSchedulerOptions options) noexcept {
  for (std::size_t* least_one :
       {&options.batch_bytes_max, &options.batch_units_max, &options.batch_partitions_max,
        &options.batch_lane_bytes_max, &options.batch_lane_units_max, &options.reader_threads}) {
    *least_one = std::max<std::size_t>(*least_one, 1);
  }
  return options;
}

// Whose thread this is, if any: a thread cannot wait for itself.
thread_local const void* current_impl = nullptr;

}  // namespace

class FairIoScheduler::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(const IoSchedulerOptions& options, std::shared_ptr<const Clock> clock)
      : options_(Sane(options)),
        disk_(options_, std::move(clock)),
        first_(options_, disk_),
        readers_(options_) {}

  error_code Start(std::shared_ptr<Wal> wal);
  error_code UseFileSets();
  // The writer of the partition's file set.
  [[nodiscard]] WalWriter& WriterOf(PartitionId partition) noexcept {
    const std::size_t sets = sets_.load(std::memory_order_acquire);
    const std::size_t set = sets == 1 ? 0 : partition.value() % sets;
    return set == 0 ? first_ : *others_[set - 1];
  }
  [[nodiscard]] WalReaders& readers() noexcept { return readers_; }
  [[nodiscard]] bool IsSaturated(PartitionId partition);
  [[nodiscard]] bool IsDiskFull();
  [[nodiscard]] IoStatistics Statistics();
  void Stop(std::function<void()> done);
  void Abort() noexcept;

 private:
  enum class State { kNew, kRunning, kDraining, kAborting, kStopped };

  // Each writer that serves a file set.
  template <class Function>
  void ForEachWriter(Function function) {
    const std::size_t sets = sets_.load(std::memory_order_acquire);
    function(first_);
    for (std::size_t i = 1; i < sets; ++i) function(*others_[i - 1]);
  }
  // A thread of the scheduler, which runs `part` to its end.
  template <class Part>
  error_code StartThread(const std::string& name, Part& part) KOMMANDER_REQUIRES(mutex_);
  void EndThread() noexcept;

  const IoSchedulerOptions options_;
  DiskWatch disk_;
  WalWriter first_;  // of partition 0's file set
  // Of the sets 1, 2, ...; made before sets_ says so, and untouched afterwards.
  std::vector<std::unique_ptr<WalWriter>> others_;
  std::atomic<std::size_t> sets_{1};
  WalReaders readers_;
  mutable detail::Mutex mutex_;  // of the life cycle; never held while a part is being waited for
  std::condition_variable ended_;
  State state_ KOMMANDER_GUARDED_BY(mutex_) = State::kNew;
  std::shared_ptr<Wal> wal_ KOMMANDER_GUARDED_BY(mutex_);  // let go of by the last thread
  std::vector<std::function<void()>> dones_ KOMMANDER_GUARDED_BY(mutex_);
  std::unique_ptr<platform::IoThreads> threads_ KOMMANDER_GUARDED_BY(mutex_);
  std::size_t running_threads_ KOMMANDER_GUARDED_BY(mutex_) = 0;
};

template <class Part>
error_code FairIoScheduler::Impl::StartThread(const std::string& name, Part& part) {
  const error_code error = threads_->Start(name, [self = shared_from_this(), &part] {
    current_impl = self.get();
    part.Run();
    self->EndThread();
  });
  if (!error) ++running_threads_;
  return error;
}

error_code FairIoScheduler::Impl::Start(std::shared_ptr<Wal> wal) {
  error_code error;
  {
    const Lock lock(mutex_);
    if (state_ != State::kNew) {
      return state_ == State::kRunning ? RaftErrc::InvalidArgument : RaftErrc::NodeStopped;
    }
    threads_ = std::make_unique<platform::IoThreads>();
    error = StartThread("kmd-wal", first_);
    for (std::size_t i = 0; !error && i < options_.reader_threads; ++i) {
      error = StartThread("kmd-read-" + std::to_string(i), readers_);
    }
    if (!error) {
      wal_ = std::move(wal);
      first_.Begin(*wal_);
      readers_.Begin(*wal_);
      state_ = State::kRunning;
      return {};
    }
    // The threads that did start wait for a beginning that does not come.
    state_ = running_threads_ > 0 ? State::kAborting : State::kStopped;
  }
  Abort();
  return error;
}

error_code FairIoScheduler::Impl::UseFileSets() {
  const Lock lock(mutex_);
  if (state_ == State::kNew) return RaftErrc::NodeIsNotReady;
  if (state_ != State::kRunning) return RaftErrc::NodeStopped;
  if (!others_.empty()) return RaftErrc::InvalidArgument;
  const std::size_t sets = wal_->FileSets();
  for (std::size_t set = 1; set < sets; ++set) {
    others_.push_back(std::make_unique<WalWriter>(options_, disk_));
  }
  error_code error;
  for (std::size_t set = 1; !error && set < sets; ++set) {
    error = StartThread("kmd-wal-" + std::to_string(set), *others_[set - 1]);
  }
  if (error) {  // those that did start have nothing to do
    for (const auto& writer : others_) writer->Abort();
    return error;
  }
  for (const auto& writer : others_) writer->Begin(*wal_);
  sets_.store(std::max<std::size_t>(sets, 1), std::memory_order_release);
  return {};
}

// No lock in the common case, since this is asked for every proposal.
bool FairIoScheduler::Impl::IsSaturated(PartitionId partition) {
  std::size_t units = 0;
  std::size_t bytes = 0;
  ForEachWriter([&](const WalWriter& writer) {
    units += writer.queued_units();
    bytes += writer.queued_bytes();
  });
  if (units >= options_.units_max || bytes >= options_.bytes_max) return true;
  return WriterOf(partition).IsSaturated(partition);
}

bool FairIoScheduler::Impl::IsDiskFull() {
  if (!disk_.IsFull()) return false;
  // All of them: one may hang in a write. Whoever comes first looks.
  if (disk_.IsDue()) ForEachWriter([](WalWriter& writer) { writer.WantLook(); });
  return true;
}

IoStatistics FairIoScheduler::Impl::Statistics() {
  IoStatistics statistics;
  ForEachWriter([&](const WalWriter& writer) { writer.AddTo(statistics); });
  readers_.AddTo(statistics);
  return statistics;
}

void FairIoScheduler::Impl::Stop(std::function<void()> done) {
  {
    const Lock lock(mutex_);
    if (state_ == State::kNew) state_ = State::kStopped;
    if (state_ == State::kRunning) state_ = State::kDraining;
    if (state_ != State::kStopped) {
      dones_.push_back(std::move(done));
      done = nullptr;
    }
  }
  ForEachWriter([](WalWriter& writer) { writer.Drain(); });
  readers_.Drain();
  if (done) done();
}

void FairIoScheduler::Impl::Abort() noexcept {
  std::unique_ptr<platform::IoThreads> threads;
  {
    const Lock lock(mutex_);
    if (state_ == State::kNew) state_ = State::kStopped;
    if (state_ != State::kStopped) state_ = State::kAborting;
    threads = std::move(threads_);
  }
  ForEachWriter([](WalWriter& writer) { writer.Abort(); });
  readers_.Abort();
  if (threads != nullptr) {
    threads->JoinAll();
    ForEachWriter([](WalWriter& writer) { writer.DropQueued(); });
    readers_.DropQueued();
  } else if (current_impl != this) {  // somebody else joins, or has joined
    Lock lock(mutex_);
    while (running_threads_ != 0) ended_.wait(lock.native());
  }
}

// The last thread closes the store and tells those who wait for the stop.
void FairIoScheduler::Impl::EndThread() noexcept {
  std::shared_ptr<Wal> wal;
  {
    const Lock lock(mutex_);
    if (running_threads_ > 1) {
      --running_threads_;
      return;
    }
    wal = std::move(wal_);
    wal_.reset();
  }
  if (wal != nullptr) wal->Close();
  wal.reset();
  std::vector<std::function<void()>> dones;
  {
    const Lock lock(mutex_);
    state_ = State::kStopped;
    dones = std::move(dones_);
    dones_.clear();
  }
  for (std::function<void()>& done : dones) done();
  dones.clear();
  {
    const Lock lock(mutex_);
    running_threads_ = 0;
  }
  ended_.notify_all();
}

FairIoScheduler::FairIoScheduler(const IoSchedulerOptions& options,
                                 std::shared_ptr<const Clock> clock)
    : impl_(std::make_shared<Impl>(options, std::move(clock))) {}
FairIoScheduler::~FairIoScheduler() { impl_->Abort(); }

error_code FairIoScheduler::Start(std::shared_ptr<Wal> wal) { return impl_->Start(std::move(wal)); }
error_code FairIoScheduler::UseFileSets() { return impl_->UseFileSets(); }
error_code FairIoScheduler::SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) {
  WalWriter& writer = impl_->WriterOf(unit.partition);
  return writer.SubmitWrite(std::move(unit), std::move(sink));
}
error_code FairIoScheduler::SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) {
  return impl_->readers().SubmitRead(request, std::move(sink));
}
error_code FairIoScheduler::SubmitTask(PartitionId partition,
                                       std::function<void(Wal& wal, bool cancelled)> task) {
  return impl_->WriterOf(partition).SubmitTask(std::move(task));
}
error_code FairIoScheduler::SubmitFileTask(std::function<void(bool cancelled)> task) {
  return impl_->readers().SubmitFileTask(std::move(task));
}
bool FairIoScheduler::IsSaturated(PartitionId partition) const noexcept {
  return impl_->IsSaturated(partition);
}
bool FairIoScheduler::IsDiskFull() const noexcept { return impl_->IsDiskFull(); }
IoStatistics FairIoScheduler::Statistics() const noexcept { return impl_->Statistics(); }
void FairIoScheduler::Stop(std::function<void()> done) { impl_->Stop(std::move(done)); }
void FairIoScheduler::Abort() noexcept { impl_->Abort(); }

}  // namespace kommander::runtime
