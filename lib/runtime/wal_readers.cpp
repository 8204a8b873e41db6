// What the readers' threads do in turn: reads, and tasks on other files.
#include "runtime/wal_readers.hpp"

#include <algorithm>
#include <utility>

namespace kommander::runtime {

using Lock = detail::MutexLock;

WalReaders::WalReaders(const IoSchedulerOptions& options) : options_(options), lanes_(options) {}

void WalReaders::Begin(Wal& wal) {
  const Lock lock(mutex_);
  wal_ = &wal;
  phase_ = IoPhase::kRunning;
}

void WalReaders::Enter(IoPhase phase) noexcept {
  {
    const Lock lock(mutex_);
    if (phase_ >= phase) return;
    phase_ = phase;
  }
  sleepers_.WakeAll();
}

void WalReaders::Drain() noexcept { Enter(IoPhase::kDraining); }
void WalReaders::Abort() noexcept { Enter(IoPhase::kAborting); }

void WalReaders::DropQueued() noexcept {
  Lock lock(mutex_);
  const OwningQueue<ReadNode> reads = lanes_.DropAll();
  const std::deque<FileTask> file_tasks = std::move(file_tasks_);
  file_tasks_.clear();
  lock.Unlock();  // before what they own is destroyed
}

error_code WalReaders::SubmitRead(const ReadRequest& request, std::shared_ptr<IoSink>&& sink) {
  Lock lock(mutex_);
  if (const error_code closed = ClosedBy(phase_)) return closed;
  if (const error_code error = lanes_.Push(request, std::move(sink))) {
    ++refused_;
    return error;
  }
  const bool wake = lanes_.HasReady() && sleepers_.Call();
  lock.Unlock();
  if (wake) sleepers_.Wake();
  return {};
}

error_code WalReaders::SubmitFileTask(FileTask&& task) {
  Lock lock(mutex_);
  if (const error_code closed = ClosedBy(phase_)) return closed;
  if (file_tasks_.size() >= options_.tasks_max) {
    ++refused_;
    return RaftErrc::ProposalQueueFull;
  }
  file_tasks_.push_back(std::move(task));
  const bool wake = sleepers_.Call();
  lock.Unlock();
  if (wake) sleepers_.Wake();
  return {};
}

void WalReaders::AddTo(IoStatistics& statistics) const {
  const Lock lock(mutex_);
  statistics.read_batches += reads_;
  statistics.reads += reads_;
  statistics.refused += refused_;
}

void WalReaders::Run() noexcept {
  Lock lock(mutex_);
  while (true) {
    while (!lanes_.HasReady() && !HasFileTask() && phase_ <= IoPhase::kRunning) {
      sleepers_.Wait(lock);
    }
    if (phase_ == IoPhase::kAborting) break;
    // Draining; a lane in flight is its reader's to finish, and so are tasks that wait for one.
    if (!lanes_.HasReady() && !HasFileTask()) break;
    if (lanes_.HasReady()) RunRead();
    if (HasFileTask() && phase_ != IoPhase::kAborting) RunFileTask();
  }
}

void WalReaders::RunRead() {
  const std::unique_ptr<ReadNode> node = lanes_.Take();
  reads_ += 1;
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
  lanes_.Complete(*node);
}

// Of several readers one is always left to reads: a file task may last.
bool WalReaders::HasFileTask() const noexcept {
  const std::size_t most = std::max<std::size_t>(options_.reader_threads, 2) - 1;
  return !file_tasks_.empty() && running_file_tasks_ < most;
}

void WalReaders::RunFileTask() {
  FileTask task = std::move(file_tasks_.front());
  file_tasks_.pop_front();
  const bool cancelled = phase_ != IoPhase::kRunning;
  ++running_file_tasks_;
  mutex_.Unlock();
  task(cancelled);
  task = nullptr;
  mutex_.Lock();
  --running_file_tasks_;
}

}  // namespace kommander::runtime
