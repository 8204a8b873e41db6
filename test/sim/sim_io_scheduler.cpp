// Lanes, batches and their answers in virtual time.
#include "sim_io_scheduler.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace kommander::sim {

namespace {

struct QueuedUnit {
  WriteUnit unit;
  std::shared_ptr<IoSink> sink;
};

struct Lane {
  std::deque<QueuedUnit> queue;
  std::size_t bytes = 0;
  bool ready = false;      // stands in the round-robin list
  bool in_flight = false;  // part of the running write
};

// The running write: units in queue order, and whom to tell.
struct Batch {
  std::shared_ptr<std::vector<WriteUnit>> units;
  std::vector<std::shared_ptr<IoSink>> sinks;
};

// More changes than a task makes, as a rule.
constexpr std::uint64_t kTaskOperationsMax = 4;

// What a node adds by itself may pass the cap of a lane, but not by much: whatever peers and
// callers want to add is refused by then.
constexpr std::size_t kUnitsOverCapMax = 64;

using BlockingTask = std::function<void(Wal&, bool)>;

}  // namespace

// Shared with the events of the world, which hold it weakly.
struct SimIoScheduler::State : std::enable_shared_from_this<State> {
  State(ProcessRecord& record, NodeId self, std::shared_ptr<SimDisk> sim_disk,
        std::shared_ptr<DiskMood> disk_mood, SimIoOptions io_options, Chance stream, Observer* o)
      : process(record),
        node(self),
        disk(std::move(sim_disk)),
        mood(std::move(disk_mood)),
        options(io_options),
        chance(stream),
        observer(o) {}

  ProcessRecord& process;
  const NodeId node;
  const std::shared_ptr<SimDisk> disk;
  const std::shared_ptr<DiskMood> mood;
  const SimIoOptions options;
  Chance chance;
  Observer* observer;
  std::shared_ptr<Wal> wal;
  std::map<PartitionId, Lane> lanes;
  std::deque<PartitionId> ready;
  std::deque<BlockingTask> tasks;
  std::deque<std::function<void(bool cancelled)>> file_tasks;  // each has its moment
  std::optional<Batch> running;
  bool task_running = false;
  bool turn_of_task = false;
  std::size_t reads_running = 0;
  bool failed = false;
  bool stopping = false;
  bool closed = false;
  bool dead = false;
  std::vector<std::function<void()>> done;
  IoStatistics statistics;

  // Runs a member on the process after a while, if this still exists and nobody killed it.
  template <class Function>
  void After(Duration delay, Function function) {
    World& world = process.world;
    auto event = [weak = weak_from_this(), function = std::move(function)]() mutable {
      if (auto self = weak.lock(); self && !self->dead) function(*self);
    };
    if (delay > Duration(0)) {
      world.PushAt(process, world.Now() + delay, std::move(event));
    } else {
      world.Push(process, std::move(event));
    }
  }
  // After the disk has been at work for so long, or until its stall is over.
  template <class Function>
  void AfterDisk(Duration latency, Function function) {
    const Duration left = mood->stalled_until - process.world.Now();
    FaultMark waited;
    if (left > latency) {
      latency = left;
      mood->stalled_by.Felt();
      if (left >= kLongStall) waited = mood->stalled_long_by;
    }
    After(latency, [waited, function = std::move(function)](State& self) mutable {
      waited.Felt();
      function(self);
    });
  }
  Duration SyncLatency() {
    if (mood->is_slow) mood->slowed_by.Felt();
    const bool slow = chance.Permille(mood->slow_permille);
    return chance.Between(mood->sync_min, slow ? mood->slow_max : mood->sync_max);
  }

  void MarkReady(PartitionId partition, Lane& lane) {
    if (lane.ready || lane.in_flight || lane.queue.empty()) return;
    lane.ready = true;
    ready.push_back(partition);
  }
  void StartNext();
  void StartWrite();
  void TakeLane(PartitionId partition, Batch& batch, std::size_t& bytes);
  void FinishWrite();
  error_code WriteBatch(const Batch& batch);
  void AnswerBatch(Batch batch, error_code error);
  void StartTask();
  void RunFileTask();
  void FailQueued(const std::vector<WriteUnit>& answered, error_code error);
  void FinishRead(const ReadRequest& request, const std::shared_ptr<IoSink>& sink);
  void CloseIfDrained();
};

void SimIoScheduler::State::StartNext() {
  if (running || task_running) return;
  // Tasks and writes take turns, so that neither can starve the other.
  const bool has_write = !ready.empty();
  const bool has_task = !tasks.empty();
  if (has_task && (turn_of_task || !has_write)) {
    turn_of_task = false;
    StartTask();
  } else if (has_write) {
    turn_of_task = true;
    StartWrite();
  } else {
    CloseIfDrained();
  }
}

void SimIoScheduler::State::TakeLane(PartitionId partition, Batch& batch, std::size_t& bytes) {
  Lane& lane = lanes[partition];
  lane.ready = false;
  lane.in_flight = true;
  std::size_t taken = 0;
  while (!lane.queue.empty() && taken < options.batch_lane_units_max) {
    QueuedUnit& queued = lane.queue.front();
    const std::size_t size = queued.unit.SizeBytes();
    if (taken > 0 && bytes + size > options.batch_bytes_max) break;
    bytes += size;
    lane.bytes -= size;
    statistics.queued_write_bytes -= size;
    batch.units->push_back(std::move(queued.unit));
    batch.sinks.push_back(std::move(queued.sink));
    lane.queue.pop_front();
    ++taken;
  }
}

void SimIoScheduler::State::StartWrite() {
  Batch batch;
  batch.units = std::make_shared<std::vector<WriteUnit>>();
  std::size_t bytes = 0;
  for (std::size_t count = 0; count < options.batch_lanes_max && !ready.empty(); ++count) {
    if (count > 0 && bytes >= options.batch_bytes_max) break;
    const PartitionId partition = ready.front();
    ready.pop_front();
    TakeLane(partition, batch, bytes);
  }
  if (disk) disk->Stage(batch.units);
  running = std::move(batch);
  AfterDisk(SyncLatency(), [](State& self) { self.FinishWrite(); });
}

error_code SimIoScheduler::State::WriteBatch(const Batch& batch) {
  // Wal::Write takes one unit of a partition: a run of a lane goes in as many calls as it is long.
  std::vector<const WriteUnit*> round;
  std::vector<bool> written(batch.units->size(), false);
  for (;;) {
    round.clear();
    PartitionId previous{};
    bool first = true;
    for (std::size_t i = 0; i < batch.units->size(); ++i) {
      const WriteUnit& unit = (*batch.units)[i];
      if (written[i] || (!first && unit.partition == previous)) continue;
      first = false;
      previous = unit.partition;
      written[i] = true;
      round.push_back(&unit);
    }
    if (round.empty()) return {};
    if (const error_code error = wal->Write(round)) return error;
  }
}

void SimIoScheduler::State::AnswerBatch(Batch batch, error_code error) {
  statistics.write_batches += 1;
  statistics.write_units += batch.units->size();
  for (std::size_t i = 0; i < batch.units->size(); ++i) {
    const WriteUnit& unit = (*batch.units)[i];
    lanes[unit.partition].in_flight = false;
    // Success names the last unit of a run, an error the first one.
    const bool is_first = i == 0 || (*batch.units)[i - 1].partition != unit.partition;
    const bool is_last =
        i + 1 == batch.units->size() || (*batch.units)[i + 1].partition != unit.partition;
    if (error ? is_first : is_last) batch.sinks[i]->OnWritten(unit.partition, unit.unit, error);
  }
  for (const WriteUnit& unit : *batch.units) {
    if (!error) MarkReady(unit.partition, lanes[unit.partition]);
  }
}

void SimIoScheduler::State::FinishWrite() {
  Batch batch = std::move(*running);
  running.reset();
  const error_code error = WriteBatch(batch);
  const std::shared_ptr<std::vector<WriteUnit>> units = batch.units;
  if (disk) disk->EndStage();
  process.world.trace().Event(process.world.Now(), error ? "disk-failed" : "disk-synced",
                              node.value(), units->size());
  AnswerBatch(std::move(batch), error);
  if (error) {
    failed = true;
    FailQueued(*units, error);
  }
  StartNext();
}

// `answered`: the failed write itself; its lanes have been told already, once is enough.
void SimIoScheduler::State::FailQueued(const std::vector<WriteUnit>& answered, error_code error) {
  ready.clear();
  for (auto& [partition, lane] : lanes) {
    lane.ready = false;
    std::deque<QueuedUnit> queue = std::exchange(lane.queue, {});
    statistics.queued_write_bytes -= std::exchange(lane.bytes, 0);
    const bool is_told = std::any_of(answered.begin(), answered.end(), [&](const WriteUnit& unit) {
      return unit.partition == partition;
    });
    if (!queue.empty() && !is_told) {
      queue.front().sink->OnWritten(partition, queue.front().unit.unit, error);
    }
  }
}

void SimIoScheduler::State::StartTask() {
  task_running = true;
  if (disk) disk->BeginTask();
  const Duration latency = chance.Between(mood->read_min, mood->sync_max);
  AfterDisk(latency, [](State& self) {
    BlockingTask task = std::move(self.tasks.front());
    self.tasks.pop_front();
    task(*self.wal, false);
    self.task_running = false;
    if (self.disk) self.disk->EndTask();
    self.StartNext();
  });
}

void SimIoScheduler::State::FinishRead(const ReadRequest& request,
                                       const std::shared_ptr<IoSink>& sink) {
  ReadResult result;
  result.partition = request.partition;
  result.request = request.request;
  result.first = request.first;
  result.error =
      wal->Read(request.partition, request.first, request.last, request.bytes_max, result.entries);
  --reads_running;
  ++statistics.reads;
  ++statistics.read_batches;
  sink->OnRead(std::move(result));
  if (stopping) StartNext();
}

void SimIoScheduler::State::CloseIfDrained() {
  if (!stopping || closed || reads_running > 0 || !file_tasks.empty()) return;
  closed = true;
  if (wal) wal->Close();
  for (auto& function : std::exchange(done, {})) function();
}

SimIoScheduler::SimIoScheduler(ProcessRecord& process, NodeId node, std::shared_ptr<SimDisk> disk,
                               std::shared_ptr<DiskMood> mood, SimIoOptions options, Chance chance,
                               Observer* observer)
    : state_(std::make_shared<State>(process, node, std::move(disk), std::move(mood), options,
                                     chance, observer)) {}

SimIoScheduler::~SimIoScheduler() { Abort(); }

error_code SimIoScheduler::Start(std::shared_ptr<Wal> wal) {
  state_->wal = std::move(wal);
  return {};
}

error_code SimIoScheduler::SubmitWrite(WriteUnit unit, std::shared_ptr<IoSink> sink) {
  State& state = *state_;
  if (state.stopping || state.dead || !state.wal) return RaftErrc::NodeStopped;
  if (state.failed) {
    // Never written, but part of the log that its core holds until it hears of the failure.
    if (state.observer != nullptr) state.observer->OnSubmitted(state.node, unit);
    return RaftErrc::StorageFailed;
  }
  Lane& lane = state.lanes[unit.partition];
  if (state.observer != nullptr) state.observer->OnSubmitted(state.node, unit);
  const PartitionId partition = unit.partition;
  const std::size_t bytes = unit.SizeBytes();
  lane.bytes += bytes;
  state.statistics.queued_write_bytes += bytes;
  lane.queue.push_back(QueuedUnit{std::move(unit), std::move(sink)});
  if (lane.queue.size() > state.options.lane_units_max + kUnitsOverCapMax && state.observer) {
    state.observer->OnContractBroken(state.node, "partition " + std::to_string(partition.value()) +
                                                     " has " + std::to_string(lane.queue.size()) +
                                                     " units in its lane");
  }
  state.MarkReady(partition, lane);
  // The writer is another thread in production: it never starts inside the call.
  if (!state.running && !state.task_running) {
    state.After(Duration(0), [](State& self) { self.StartNext(); });
  }
  return {};
}

error_code SimIoScheduler::SubmitRead(ReadRequest request, std::shared_ptr<IoSink> sink) {
  State& state = *state_;
  if (state.stopping || state.dead || !state.wal) return RaftErrc::NodeStopped;
  if (state.reads_running >= state.options.reads_max) {
    ++state.statistics.refused;
    return RaftErrc::ProposalQueueFull;
  }
  ++state.reads_running;
  const Duration latency = state.chance.Between(state.mood->read_min, state.mood->read_max);
  state.AfterDisk(
      latency, [request, sink = std::move(sink)](State& self) { self.FinishRead(request, sink); });
  return {};
}

// A simulated disk is one file set; of a log with several a crash would tear batches apart that no
// store has.
error_code SimIoScheduler::UseFileSets() {
  if (!state_->wal) return RaftErrc::NodeStopped;
  return state_->wal->FileSets() == 1 ? error_code() : error_code(RaftErrc::InvalidArgument);
}

error_code SimIoScheduler::SubmitTask(PartitionId,
                                      std::function<void(Wal& wal, bool cancelled)> task) {
  State& state = *state_;
  if (state.stopping || state.dead || !state.wal) return RaftErrc::NodeStopped;
  state.tasks.push_back(std::move(task));
  state.After(Duration(0), [](State& self) { self.StartNext(); });
  return {};
}

void SimIoScheduler::State::RunFileTask() {
  const auto task = std::move(file_tasks.front());
  file_tasks.pop_front();
  task(false);
  if (stopping) StartNext();
}

error_code SimIoScheduler::SubmitFileTask(std::function<void(bool cancelled)> task) {
  State& state = *state_;
  if (state.stopping || state.dead || !state.wal) return RaftErrc::NodeStopped;
  state.file_tasks.push_back(std::move(task));
  const Duration latency = state.chance.Between(state.mood->read_min, state.mood->sync_max);
  state.AfterDisk(latency, [](State& self) { self.RunFileTask(); });
  return {};
}

bool SimIoScheduler::IsSaturated(PartitionId partition) const noexcept {
  const auto found = state_->lanes.find(partition);
  if (found == state_->lanes.end()) return false;
  return found->second.queue.size() >= state_->options.lane_units_max ||
         found->second.bytes >= state_->options.lane_bytes_max;
}

bool SimIoScheduler::IsDiskFull() const noexcept {
  if (!state_->wal) return false;
  const std::optional<std::uint64_t> free = state_->wal->FreeBytes();
  const bool is_full = free && *free < state_->options.free_bytes_min;
  if (is_full && state_->disk) state_->disk->CountFull();
  return is_full;
}

IoStatistics SimIoScheduler::Statistics() const noexcept { return state_->statistics; }

void SimIoScheduler::Stop(std::function<void()> done) {
  State& state = *state_;
  if (state.closed || state.dead) {
    if (done) done();
    return;
  }
  if (done) state.done.push_back(std::move(done));
  state.stopping = true;
  state.After(Duration(0), [](State& self) { self.StartNext(); });
}

void SimIoScheduler::Abort() noexcept {
  State& state = *state_;
  if (state.dead || state.closed) return;
  state.stopping = true;
  state.dead = true;
  // Whoever runs now is waited for: its units are on disk and its sinks are told.
  if (state.running) {
    Batch batch = std::move(*state.running);
    state.running.reset();
    const error_code error = state.WriteBatch(batch);
    if (state.disk) state.disk->EndStage();
    state.AnswerBatch(std::move(batch), error);
  }
  state.lanes.clear();
  for (BlockingTask& task : std::exchange(state.tasks, {})) task(*state.wal, true);
  for (auto& task : std::exchange(state.file_tasks, {})) task(true);
  if (state.wal) state.wal->Close();
  for (auto& function : std::exchange(state.done, {})) function();
}

void SimIoScheduler::Kill() noexcept {
  State& state = *state_;
  state.stopping = true;
  state.dead = true;
  if (state.task_running && state.disk) {
    // It ends somewhere on its way; its answer reaches nobody.
    state.disk->DieAfter(state.chance.Below(kTaskOperationsMax));
    BlockingTask task = std::move(state.tasks.front());
    task(*state.wal, false);
  }
  state.running.reset();
  state.lanes.clear();
  state.tasks.clear();
  state.file_tasks.clear();
  state.done.clear();
}

}  // namespace kommander::sim
