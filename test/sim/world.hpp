// A deterministic world: one thread, virtual time, the next ready function chosen by a seed. Whole
// nodes run in it unchanged, each in a Process, which is an execution context of Asio: strands,
// co_spawn, awaitables and cancellation work on it as on an io_context.
//
// Rules. Everything happens on the thread that made the world; a push from another one, or a
// thread that appears while the world exists, is a failure (FailWorld). Ready functions run in no
// order that a caller may rely on, as on a pool of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>

#include <kommander/time.hpp>

#include "chance.hpp"
#include "task.hpp"
#include "timer_heap.hpp"
#include "trace.hpp"

namespace kommander::sim {

class World;
class Process;

// Called when a rule of the world is broken. Prints and aborts unless a test replaced it; may
// throw.
using FailureHandler = void (*)(const char* what);
void SetFailureHandler(FailureHandler handler) noexcept;
void FailWorld(const char* what);
// Threads of this operating system process.
[[nodiscard]] std::size_t CountThreads();
// Memory of this operating system process that is in use.
[[nodiscard]] std::uint64_t ResidentBytes();

// What the world keeps of a process, also after its end: executors that outlive it push into the
// void.
class ProcessRecord {
 public:
  ProcessRecord(World& owner, std::uint32_t number, std::string label)
      : world(owner), id(number), name(std::move(label)) {}
  World& world;
  const std::uint32_t id;
  const std::string name;
  Process* context = nullptr;  // null once it has ended
  bool paused = false;
  std::int64_t tracked = 0;   // outstanding_work.tracked executors alive
  std::vector<Task*> parked;  // ready, but the process is paused
};

class SimExecutor {
 public:
  SimExecutor(ProcessRecord& process, bool tracked) noexcept
      : process_(&process), tracked_(tracked) {
    if (tracked_) ++process_->tracked;
  }
  SimExecutor(const SimExecutor& other) noexcept : SimExecutor(*other.process_, other.tracked_) {}
  SimExecutor& operator=(const SimExecutor& other) noexcept {
    SimExecutor copy(other);
    std::swap(process_, copy.process_);
    std::swap(tracked_, copy.tracked_);
    return *this;
  }
  ~SimExecutor() {
    if (tracked_) --process_->tracked;
  }

  [[nodiscard]] Process& query(boost::asio::execution::context_t) const noexcept;
  static constexpr boost::asio::execution::blocking_t query(
      boost::asio::execution::blocking_t) noexcept {
    return boost::asio::execution::blocking.never;
  }
  [[nodiscard]] SimExecutor require(boost::asio::execution::blocking_t::never_t) const noexcept {
    return *this;
  }
  [[nodiscard]] SimExecutor require(
      boost::asio::execution::outstanding_work_t::tracked_t) const noexcept {
    return {*process_, true};
  }
  [[nodiscard]] SimExecutor require(
      boost::asio::execution::outstanding_work_t::untracked_t) const noexcept {
    return {*process_, false};
  }
  template <class Function>
  void execute(Function&& function) const;

  friend bool operator==(const SimExecutor& a, const SimExecutor& b) noexcept {
    return a.process_ == b.process_ && a.tracked_ == b.tracked_;
  }
  friend bool operator!=(const SimExecutor& a, const SimExecutor& b) noexcept { return !(a == b); }

 private:
  ProcessRecord* process_;
  bool tracked_;
};

class World {
 public:
  explicit World(std::uint64_t seed);
  // Every process must have ended. Drops what is left.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] Instant Now() const noexcept { return now_; }
  [[nodiscard]] Trace& trace() noexcept { return trace_; }
  // A stream of chance for one part of the world; `salt` tells the parts apart.
  [[nodiscard]] Chance Fork(std::uint64_t salt) const noexcept { return root_.Fork(salt); }

  // Runs one ready function, chosen by the seed, or, when there is none, moves time to the next
  // timer and makes ready what is due then, if that is not after `limit`. False: nothing left.
  bool Step(Instant limit = kNever);
  // Time passes up to `limit`, provided that nothing is ready and nothing due before it.
  void SkipTo(Instant limit) noexcept {
    const bool is_idle = ready_.empty() && (timers_.empty() || timers_.NextDue() > limit);
    if (is_idle && now_ < limit) now_ = limit;
  }
  // Steps until `limit` and sets the time to it.
  void RunUntil(Instant limit);
  void RunFor(Duration duration) { RunUntil(now_ + duration); }
  // Steps until no function and no timer is left.
  void RunUntilIdle() {
    while (Step()) {
    }
  }

  // The process whose function the last Step ran; null when time moved.
  [[nodiscard]] const ProcessRecord* last_process() const noexcept { return last_process_; }
  [[nodiscard]] std::uint64_t steps() const noexcept { return steps_; }
  // Functions run since time last moved; a growing number is a livelock.
  [[nodiscard]] std::uint64_t steps_at_instant() const noexcept { return steps_at_instant_; }
  [[nodiscard]] std::int64_t TrackedWork() const noexcept;

  // Makes a function ready in the process; dropped when that has ended.
  template <class Function>
  void Push(ProcessRecord& process, Function&& function) {
    AssertThread();
    if (process.context == nullptr) {
      // Dropped here and now, like a handler that is freed with its context.
      [[maybe_unused]] std::decay_t<Function> dropped(std::forward<Function>(function));
      return;
    }
    ready_.push_back(MakeTask(process, std::forward<Function>(function)));
  }
  // The same at a later instant.
  template <class Function>
  void PushAt(ProcessRecord& process, Instant when, Function&& function) {
    AssertThread();
    if (process.context == nullptr) return;
    timers_.Arm(*MakeTask(process, std::forward<Function>(function)), when < now_ ? now_ : when);
  }

  // For the clock: a timer that is no function of a process.
  void Arm(TimerEntry& entry, Instant when) {
    AssertThread();
    timers_.Arm(entry, when < now_ ? now_ : when);
  }
  void Disarm(TimerEntry& entry) noexcept { timers_.Disarm(entry); }

  // A paused process keeps its ready functions waiting; its timers and answers pile up behind them.
  void SetPaused(ProcessRecord& process, bool paused);

 private:
  friend class Process;
  ProcessRecord& AddRecord(std::string name);
  void DropTasksOf(ProcessRecord& process);
  void MakeReady(Task& task) { ready_.push_back(&task); }
  void RunOneReady();
  void AssertThread() const {
    if (std::this_thread::get_id() != thread_) FailWorld("a push from a second thread");
  }

  template <class Function>
  struct TaskOf final : Task {
    TaskOf(ProcessRecord& record, Function&& f)
        : Task(record, &WhenDue, &Act, kSizeClass), function(std::move(f)) {}
    TaskOf(ProcessRecord& record, const Function& f)
        : Task(record, &WhenDue, &Act, kSizeClass), function(f) {}
    static void Act(Task* task, Action action) {
      auto* self = static_cast<TaskOf*>(task);
      World& world = self->process->world;
      Function taken(std::move(self->function));
      self->~TaskOf();
      world.pool_.Free(self, kSizeClass);
      if (action == Action::kRun) std::move(taken)();
    }
    static inline const std::uint32_t kSizeClass = TaskPool::ClassOf(sizeof(TaskOf));
    Function function;
  };
  static void WhenDue(TimerEntry* entry);

  template <class Function>
  Task* MakeTask(ProcessRecord& process, Function&& function) {
    using Type = TaskOf<std::decay_t<Function>>;
    void* memory = pool_.Allocate(sizeof(Type), Type::kSizeClass);
    return new (memory) Type(process, std::forward<Function>(function));
  }

  const std::thread::id thread_;
  const std::size_t threads_at_start_;
  Chance root_;
  Chance choice_;
  Trace trace_;
  Instant now_{std::chrono::seconds(1)};  // not the epoch: a forgotten zero instant shows
  std::uint64_t steps_ = 0;
  std::uint64_t steps_at_instant_ = 0;
  const ProcessRecord* last_process_ = nullptr;
  TaskPool pool_;
  std::vector<Task*> ready_;
  TimerHeap timers_;
  std::vector<std::unique_ptr<ProcessRecord>> records_;
};

// One operating system process of the world: the context that a node, or the clients, run on. Its
// end drops every function of it, at whatever point that is: nothing of it runs afterwards.
class Process : public boost::asio::execution_context {
 public:
  Process(World& world, std::string name);
  ~Process();
  using executor_type = SimExecutor;
  [[nodiscard]] SimExecutor get_executor() noexcept { return {*record_, false}; }
  [[nodiscard]] ProcessRecord& record() noexcept { return *record_; }
  [[nodiscard]] World& world() noexcept { return record_->world; }
  [[nodiscard]] std::int64_t tracked() const noexcept { return record_->tracked; }

 private:
  ProcessRecord* record_;
};

template <class Function>
void SimExecutor::execute(Function&& function) const {
  process_->world.Push(*process_, std::forward<Function>(function));
}

}  // namespace kommander::sim
