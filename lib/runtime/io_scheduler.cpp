// The threads of the fair I/O scheduler and the lock that they share; what is next is the matter of
// WriteLanes and ReadLanes.
#include "runtime/io_scheduler.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <kommander/detail/crash_point.hpp>
#include <kommander/detail/mutex.hpp>

#include "mutants/mutants.hpp"
#include "platform/io_threads.hpp"
#include "runtime/disk_watch.hpp"
#include "runtime/read_lanes.hpp"
#include "runtime/write_lanes.hpp"

namespace kommander::runtime {
namespace {

using Lock = detail::MutexLock;
using Task = std::function<void(Wal& wal, bool cancelled)>;
using FileTask = std::function<void(bool cancelled)>;

IoSchedulerOptions Sane(IoSchedulerOptions options) noexcept {
  for (std::size_t* least_one :
       {&options.batch_bytes_max, &options.batch_units_max, &options.batch_partitions_max,
        &options.batch_lane_bytes_max, &options.batch_lane_units_max, &options.reader_threads}) {
    *least_one = std::max<std::size_t>(*least_one, 1);
  }
  return options;
}

// Threads that wait for work under one lock. Counts who sleeps and who has been called already, so
// that a burst of arrivals makes one system call per thread and none while all are busy.
class Sleepers {
 public:
  // Until called; whoever waits looks for work afterwards, and may find none.
  void Wait(Lock& lock) {
    ++asleep_;
    condition_.wait(lock.native());
    // Whoever wakes uses a call up, also when it finds nothing: one too few in the count costs an
    // extra wake, one too many would leave a sleeper uncalled.
    --asleep_;
    if (called_ > 0) --called_;
  }
  // With the lock: true when somebody is to be called, by Wake, once the lock is released.
  [[nodiscard]] bool Call() noexcept {
    if (called_ >= asleep_) return false;
    ++called_;
    return true;
  }
  void Wake() noexcept { condition_.notify_one(); }
  void WakeAll() noexcept { condition_.notify_all(); }

 private:
  std::condition_variable condition_;
  std::size_t asleep_ = 0;
  std::size_t called_ = 0;
};

// Whose thread this is, if any: a thread cannot wait for itself.
thread_local const void* current_impl = nullptr;

}  // namespace

class FairIoScheduler::Impl {
 public:
  Impl(const IoSchedulerOptions& options, std::shared_ptr<const Clock> clock)
      : options_(Sane(options)),
        write_lanes_(options_),
        read_lanes_(options_),
        batch_(options_.batch_partitions_max),
        disk_(options_, std::move(clock)) {}

  static error_code Start(const std::shared_ptr<Impl>& self, std::shared_ptr<Wal> wal);
  error_code SubmitWrite(WriteUnit&& unit, std::shared_ptr<IoSink>&& sink);
  error_code SubmitRead(const ReadRequest& request, std::shared_ptr<IoSink>&& sink);
  error_code SubmitTask(Task&& task);
  error_code SubmitFileTask(FileTask&& task);
  [[nodiscard]] bool IsSaturated(PartitionId partition) const;
  [[nodiscard]] bool IsDiskFull();
  [[nodiscard]] IoStatistics Statistics() const;
  void Stop(std::function<void()> done);
  void Abort() noexcept;

 private:
  enum class State { kNew, kRunning, kDraining, kAborting, kStopped };

  // Why nothing is accepted, if so.
  [[nodiscard]] error_code Closed() const noexcept KOMMANDER_REQUIRES(mutex_);
  error_code Counted(error_code error) noexcept KOMMANDER_REQUIRES(mutex_);

  void RunWriter() noexcept;
  void RunReader() noexcept;
  [[nodiscard]] bool WriterHasWork() const noexcept KOMMANDER_REQUIRES(mutex_);
  [[nodiscard]] bool HasFileTask() const noexcept KOMMANDER_REQUIRES(mutex_);
  // These give the lock up for what blocks, and come back with it.
  void RunTask() KOMMANDER_REQUIRES(mutex_);
  void RunRead() KOMMANDER_REQUIRES(mutex_);
  void RunFileTask() KOMMANDER_REQUIRES(mutex_);
  void Linger(Lock& lock) KOMMANDER_REQUIRES(mutex_);
  void RunBatch() KOMMANDER_REQUIRES(mutex_);
  void LookAtDisk() KOMMANDER_REQUIRES(mutex_);
  void EndThread() noexcept;
  void DropQueued() noexcept;
  void PublishQueued() noexcept KOMMANDER_REQUIRES(mutex_) {
    queued_units_.store(write_lanes_.units(), std::memory_order_relaxed);
    queued_bytes_.store(write_lanes_.bytes(), std::memory_order_relaxed);
  }

  const IoSchedulerOptions options_;
  mutable detail::Mutex mutex_;
  Sleepers writer_;
  Sleepers readers_;
  std::condition_variable lingering_;
  std::condition_variable ended_;
  State state_ KOMMANDER_GUARDED_BY(mutex_) = State::kNew;
  bool failed_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool is_lingering_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool look_wanted_ KOMMANDER_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Wal> wal_;  // set before the threads run, let go of by the last one
  WriteLanes write_lanes_ KOMMANDER_GUARDED_BY(mutex_);
  std::atomic<std::size_t> queued_units_{0};  // of write_lanes_, readable without the lock
  std::atomic<std::size_t> queued_bytes_{0};
  ReadLanes read_lanes_ KOMMANDER_GUARDED_BY(mutex_);
  std::deque<Task> tasks_ KOMMANDER_GUARDED_BY(mutex_);
  std::deque<FileTask> file_tasks_ KOMMANDER_GUARDED_BY(mutex_);
  std::size_t running_file_tasks_ KOMMANDER_GUARDED_BY(mutex_) = 0;
  IoStatistics statistics_ KOMMANDER_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> dones_ KOMMANDER_GUARDED_BY(mutex_);
  std::unique_ptr<platform::IoThreads> threads_ KOMMANDER_GUARDED_BY(mutex_);
  std::size_t running_threads_ KOMMANDER_GUARDED_BY(mutex_) = 0;

  WriteBatch batch_;  // the writer thread's
  DiskWatch disk_;
};

error_code FairIoScheduler::Impl::Start(const std::shared_ptr<Impl>& self,
                                        std::shared_ptr<Wal> wal) {
  Lock lock(self->mutex_);
  if (self->state_ != State::kNew) {
    return self->state_ == State::kRunning ? RaftErrc::InvalidArgument : RaftErrc::NodeStopped;
  }
  self->wal_ = std::move(wal);
  self->threads_ = std::make_unique<platform::IoThreads>();
  error_code error = self->threads_->Start("kmd-wal", [self] { self->RunWriter(); });
  if (!error) ++self->running_threads_;
  for (std::size_t i = 0; !error && i < self->options_.reader_threads; ++i) {
    error = self->threads_->Start("kmd-read-" + std::to_string(i), [self] { self->RunReader(); });
    if (!error) ++self->running_threads_;
  }
  // The threads that did start have been waiting for this lock.
  if (!error) {
    self->state_ = State::kRunning;
    return {};
  }
  self->wal_.reset();
  self->state_ = self->running_threads_ > 0 ? State::kAborting : State::kStopped;
  lock.Unlock();
  self->Abort();
  return error;
}

error_code FairIoScheduler::Impl::Closed() const noexcept {
  if (state_ == State::kRunning) return {};
  return state_ == State::kNew ? RaftErrc::NodeIsNotReady : RaftErrc::NodeStopped;
}

error_code FairIoScheduler::Impl::Counted(error_code error) noexcept {
  if (error) ++statistics_.refused;
  return error;
}

error_code FairIoScheduler::Impl::SubmitWrite(WriteUnit&& unit, std::shared_ptr<IoSink>&& sink) {
  Lock lock(mutex_);
  if (const error_code closed = Closed()) return closed;
  if (failed_) return RaftErrc::StorageFailed;
  write_lanes_.Push(std::move(unit), std::move(sink));
  PublishQueued();
  const bool end_linger = is_lingering_ && write_lanes_.IsBatchFull();
  const bool wake = writer_.Call();
  lock.Unlock();
  if (wake) writer_.Wake();
  if (end_linger) lingering_.notify_one();
  while (KOMMANDER_MUTANT(actor_waits_for_the_disk) && queued_units_ != 0) {
  }
  return {};
}

error_code FairIoScheduler::Impl::SubmitRead(const ReadRequest& request,
                                             std::shared_ptr<IoSink>&& sink) {
  Lock lock(mutex_);
  if (const error_code closed = Closed()) return closed;
  const error_code error = Counted(read_lanes_.Push(request, std::move(sink)));
  if (error) return error;
  const bool wake = read_lanes_.HasReady() && readers_.Call();
  lock.Unlock();
  if (wake) readers_.Wake();
  return {};
}

error_code FairIoScheduler::Impl::SubmitTask(Task&& task) {
  Lock lock(mutex_);
  if (const error_code closed = Closed()) return closed;
  if (tasks_.size() >= options_.tasks_max) return Counted(RaftErrc::ProposalQueueFull);
  tasks_.push_back(std::move(task));
  const bool end_linger = is_lingering_;
  const bool wake = writer_.Call();
  lock.Unlock();
  if (wake) writer_.Wake();
  if (end_linger) lingering_.notify_one();
  return {};
}

error_code FairIoScheduler::Impl::SubmitFileTask(FileTask&& task) {
  Lock lock(mutex_);
  if (const error_code closed = Closed()) return closed;
  if (file_tasks_.size() >= options_.tasks_max) return Counted(RaftErrc::ProposalQueueFull);
  file_tasks_.push_back(std::move(task));
  const bool wake = readers_.Call();
  lock.Unlock();
  if (wake) readers_.Wake();
  return {};
}

bool FairIoScheduler::Impl::IsSaturated(PartitionId partition) const {
  // Asked for every proposal: while all lanes together are below the caps of one, no need to look.
  if (queued_units_.load(std::memory_order_relaxed) <
          std::min(options_.lane_units_max, options_.units_max) &&
      queued_bytes_.load(std::memory_order_relaxed) <
          std::min(options_.lane_bytes_max, options_.bytes_max)) {
    return false;
  }
  const Lock lock(mutex_);
  return write_lanes_.IsSaturated(partition);
}

bool FairIoScheduler::Impl::IsDiskFull() {
  if (!disk_.IsFull()) return false;
  if (disk_.IsDue()) {
    Lock lock(mutex_);
    if (state_ != State::kRunning) return true;
    look_wanted_ = true;
    const bool wake = writer_.Call();
    lock.Unlock();
    if (wake) writer_.Wake();
  }
  return true;
}

IoStatistics FairIoScheduler::Impl::Statistics() const {
  const Lock lock(mutex_);
  IoStatistics statistics = statistics_;
  statistics.queued_write_bytes = write_lanes_.bytes();
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
  writer_.WakeAll();
  readers_.WakeAll();
  lingering_.notify_all();
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
  writer_.WakeAll();
  readers_.WakeAll();
  lingering_.notify_all();
  if (threads != nullptr) {
    threads->JoinAll();
    DropQueued();
  } else if (current_impl != this) {  // somebody else joins, or has joined
    Lock lock(mutex_);
    while (running_threads_ != 0) ended_.wait(lock.native());
  }
}

void FairIoScheduler::Impl::DropQueued() noexcept {
  Lock lock(mutex_);
  const OwningQueue<WriteNode> writes = write_lanes_.DropAll();
  PublishQueued();
  const OwningQueue<ReadNode> reads = read_lanes_.DropAll();
  const std::deque<Task> tasks = std::move(tasks_);
  tasks_.clear();
  const std::deque<FileTask> file_tasks = std::move(file_tasks_);
  file_tasks_.clear();
  lock.Unlock();  // before what they own is destroyed
}

bool FairIoScheduler::Impl::WriterHasWork() const noexcept {
  return write_lanes_.HasReady() || !tasks_.empty() || look_wanted_ || state_ != State::kRunning;
}

void FairIoScheduler::Impl::RunWriter() noexcept {
  current_impl = this;
  Lock lock(mutex_);
  while (true) {
    while (!WriterHasWork()) writer_.Wait(lock);
    if (state_ == State::kAborting) break;
    if (look_wanted_) LookAtDisk();
    if (!tasks_.empty() && state_ != State::kAborting) RunTask();
    if (write_lanes_.HasReady() && state_ != State::kAborting) {
      if (options_.linger > Duration::zero()) Linger(lock);
      if (state_ != State::kAborting) RunBatch();
    }
    if (state_ == State::kDraining && !write_lanes_.HasReady() && tasks_.empty()) break;
  }
  lock.Unlock();
  EndThread();
}

void FairIoScheduler::Impl::RunTask() {
  Task task = std::move(tasks_.front());
  tasks_.pop_front();
  const bool cancelled = state_ != State::kRunning;
  mutex_.Unlock();
  task(*wal_, cancelled);
  task = nullptr;
  disk_.Look(*wal_, 0);
  mutex_.Lock();
}

void FairIoScheduler::Impl::Linger(Lock& lock) {
  is_lingering_ = true;
  lingering_.wait_for(lock.native(), options_.linger, [this]() KOMMANDER_REQUIRES(mutex_) {
    return write_lanes_.IsBatchFull() || !tasks_.empty() || state_ != State::kRunning;
  });
  is_lingering_ = false;
}

void FairIoScheduler::Impl::RunBatch() {
  write_lanes_.Recycle(batch_);
  write_lanes_.Collect(batch_);
  statistics_.write_batches += 1;
  statistics_.write_units += batch_.unit_count();
  const std::uint64_t bytes = batch_.bytes();
  mutex_.Unlock();

  batch_.Merge();
  KOMMANDER_CRASH_POINT("io.before_write");
  error_code error = wal_->Write(batch_.units());
  if (KOMMANDER_MUTANT(failed_sync_retried) && error) error = wal_->Write(batch_.units());
  KOMMANDER_CRASH_POINT("io.after_write");

  // The caps are free before anybody is told, so that an answered unit never stands in the way.
  mutex_.Lock();
  if (error) {
    failed_ = true;
    write_lanes_.FailAll(batch_);
  } else {
    write_lanes_.Complete(batch_);
  }
  PublishQueued();
  mutex_.Unlock();
  KOMMANDER_CRASH_POINT("io.before_answer");
  batch_.Answer(error);
  KOMMANDER_CRASH_POINT("io.after_answer");
  disk_.Look(*wal_, bytes);
  mutex_.Lock();
}

void FairIoScheduler::Impl::LookAtDisk() {
  look_wanted_ = false;
  mutex_.Unlock();
  disk_.Look(*wal_, 0);
  mutex_.Lock();
}

void FairIoScheduler::Impl::RunReader() noexcept {
  current_impl = this;
  Lock lock(mutex_);
  while (true) {
    while (!read_lanes_.HasReady() && !HasFileTask() && state_ == State::kRunning) {
      readers_.Wait(lock);
    }
    if (state_ == State::kAborting) break;
    // Draining; a lane in flight is its reader's to finish, and so are tasks that wait for one.
    if (!read_lanes_.HasReady() && !HasFileTask()) break;
    if (read_lanes_.HasReady()) RunRead();
    if (HasFileTask() && state_ != State::kAborting) RunFileTask();
  }
  lock.Unlock();
  EndThread();
}

void FairIoScheduler::Impl::RunRead() {
  const std::unique_ptr<ReadNode> node = read_lanes_.Take();
  statistics_.read_batches += 1;
  statistics_.reads += 1;
  mutex_.Unlock();
  const ReadRequest& request = node->request;
  ReadResult result;
  result.partition = request.partition;
  result.request = request.request;
  result.first = request.first;
  result.error =
      wal_->Read(request.partition, request.first, request.last, request.bytes_max, result.entries);
  node->sink->OnRead(std::move(result));
  node->sink.reset();
  mutex_.Lock();
  read_lanes_.Complete(*node);
}

// Of several readers one is always left to reads: a file task may last.
bool FairIoScheduler::Impl::HasFileTask() const noexcept {
  const std::size_t most = std::max<std::size_t>(options_.reader_threads, 2) - 1;
  return !file_tasks_.empty() && running_file_tasks_ < most;
}

void FairIoScheduler::Impl::RunFileTask() {
  FileTask task = std::move(file_tasks_.front());
  file_tasks_.pop_front();
  const bool cancelled = state_ != State::kRunning;
  ++running_file_tasks_;
  mutex_.Unlock();
  task(cancelled);
  task = nullptr;
  mutex_.Lock();
  --running_file_tasks_;
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

error_code FairIoScheduler::Start(std::shared_ptr<Wal> wal) {
  return Impl::Start(impl_, std::move(wal));
}
error_code FairIoScheduler::SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) {
  return impl_->SubmitWrite(std::move(unit), std::move(sink));
}
error_code FairIoScheduler::SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) {
  return impl_->SubmitRead(request, std::move(sink));
}
error_code FairIoScheduler::SubmitTask(std::function<void(Wal& wal, bool cancelled)> task) {
  return impl_->SubmitTask(std::move(task));
}
error_code FairIoScheduler::SubmitFileTask(std::function<void(bool cancelled)> task) {
  return impl_->SubmitFileTask(std::move(task));
}
bool FairIoScheduler::IsSaturated(PartitionId partition) const noexcept {
  return impl_->IsSaturated(partition);
}
bool FairIoScheduler::IsDiskFull() const noexcept { return impl_->IsDiskFull(); }
IoStatistics FairIoScheduler::Statistics() const noexcept { return impl_->Statistics(); }
void FairIoScheduler::Stop(std::function<void()> done) { impl_->Stop(std::move(done)); }
void FairIoScheduler::Abort() noexcept { impl_->Abort(); }

}  // namespace kommander::runtime
