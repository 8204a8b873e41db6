// The loop of the world and the ends of its processes.
#include "world.hpp"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <unistd.h>

namespace kommander::sim {

namespace {

void PrintAndAbort(const char* what) {
  std::fprintf(stderr, "simulated world: %s\n", what);
  std::abort();
}
FailureHandler failure_handler = &PrintAndAbort;

// Counting threads reads /proc: often enough to notice one, seldom enough to cost nothing.
constexpr std::uint64_t kStepsBetweenThreadCounts = 1u << 20;

}  // namespace

void SetFailureHandler(FailureHandler handler) noexcept {
  failure_handler = handler != nullptr ? handler : &PrintAndAbort;
}
void FailWorld(const char* what) { failure_handler(what); }

std::size_t CountThreads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  if (error) return 1;
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

std::uint64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t total = 0;
  std::uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Process& SimExecutor::query(boost::asio::execution::context_t) const noexcept {
  if (process_->context == nullptr) FailWorld("the context of a process that has ended is used");
  return *process_->context;
}

World::World(std::uint64_t seed)
    : thread_(std::this_thread::get_id()),
      threads_at_start_(CountThreads()),
      root_(seed),
      choice_(root_.Fork(0)) {}

World::~World() {
  for (const auto& record : records_) {
    if (record->context != nullptr) FailWorld("a process is alive at the end of its world");
  }
  if (CountThreads() > threads_at_start_) FailWorld("a second thread was started");
}

std::int64_t World::TrackedWork() const noexcept {
  std::int64_t sum = 0;
  for (const auto& record : records_) sum += record->tracked;
  return sum;
}

void World::WhenDue(TimerEntry* entry) {
  auto* task = static_cast<Task*>(entry);
  task->process->world.MakeReady(*task);
}

void World::RunOneReady() {
  const std::size_t index = choice_.Below(ready_.size());
  Task* task = ready_[index];
  ready_[index] = ready_.back();
  ready_.pop_back();
  ProcessRecord& process = *task->process;
  if (process.paused) {
    process.parked.push_back(task);
    return;
  }
  ++steps_;
  ++steps_at_instant_;
  trace_.Mix(index * 64 + process.id);
  last_process_ = &process;
  task->act(task, Task::Action::kRun);
}

bool World::Step(Instant limit) {
  last_process_ = nullptr;
  if (!ready_.empty()) {
    RunOneReady();
    if (steps_ % kStepsBetweenThreadCounts == 0 && CountThreads() > threads_at_start_) {
      FailWorld("a second thread was started");
    }
    return true;
  }
  if (timers_.empty() || timers_.NextDue() > limit) return false;
  now_ = timers_.NextDue();
  steps_at_instant_ = 0;
  trace_.Mix(static_cast<std::uint64_t>(now_.time_since_epoch().count()));
  while (!timers_.empty() && timers_.NextDue() <= now_) {
    TimerEntry& entry = timers_.PopFirst();
    entry.fire(&entry);
  }
  return true;
}

void World::RunUntil(Instant limit) {
  while (Step(limit)) {
  }
  SkipTo(limit);
}

void World::SetPaused(ProcessRecord& process, bool paused) {
  process.paused = paused;
  if (paused) return;
  ready_.insert(ready_.end(), process.parked.begin(), process.parked.end());
  process.parked.clear();
}

ProcessRecord& World::AddRecord(std::string name) {
  const auto number = static_cast<std::uint32_t>(records_.size());
  records_.push_back(std::make_unique<ProcessRecord>(*this, number, std::move(name)));
  return *records_.back();
}

void World::DropTasksOf(ProcessRecord& process) {
  // What is dropped may push or arm again while it is destroyed; the record knows that its process
  // has ended, so such a push goes into the void and one round is enough.
  std::vector<Task*> doomed = std::move(process.parked);
  process.parked.clear();
  std::erase_if(ready_, [&](Task* task) {
    if (task->process != &process) return false;
    doomed.push_back(task);
    return true;
  });
  timers_.DisarmIf([&](TimerEntry& entry) {
    if (entry.fire != &WhenDue) return false;
    auto* task = static_cast<Task*>(&entry);
    if (task->process != &process) return false;
    doomed.push_back(task);
    return true;
  });
  for (Task* task : doomed) task->act(task, Task::Action::kDrop);
}

Process::Process(World& world, std::string name) : record_(&world.AddRecord(std::move(name))) {
  record_->context = this;
}

Process::~Process() {
  // As in a context of Asio's own: services let go of what they hold, then whatever is queued is
  // dropped while the services still exist, then they go. What is pushed meanwhile is void.
  ProcessRecord& record = *record_;
  shutdown();
  record.context = nullptr;
  record.world.DropTasksOf(record);
  destroy();
}

}  // namespace kommander::sim
