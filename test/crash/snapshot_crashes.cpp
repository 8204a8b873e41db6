// The store of snapshots in files against losses of power and failing calls: what was published is
// there with all its bytes, what was not is not, and each start needs no hand.
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <kommander/file_snapshots.hpp>

#include "losses.hpp"
#include "matrix.hpp"
#include "recording.hpp"
#include "snapshot_script.hpp"

namespace kommander::crash {
namespace {

constexpr NodeId kNode{7};
constexpr Incarnation kDisk{0x77};
constexpr std::size_t kPowerLossSteps = 220;
constexpr std::size_t kIoErrorSteps = 60;
constexpr std::size_t kShareOfImages = 23;  // one of so many
constexpr std::size_t kShareOfCalls = 7;
constexpr std::size_t kPrintedMax = 10;

struct Failure {
  const char* name;
  Fault fault;
};
constexpr Failure kFailures[] = {
    {"EIO once", {EIO, false}},       {"EIO for good", {EIO, true}},
    {"ENOSPC once", {ENOSPC, false}}, {"ENOSPC for good", {ENOSPC, true}},
    {"a short write", {0, false}},
};

// Opens what is there; null and a problem when it does not.
std::shared_ptr<SnapshotStore> OpenAt(const std::string& root, std::string& problem) {
  auto store = MakeFileSnapshots(root + "/snapshots");
  if (!store->Open(kNode, kDisk, problem)) return store;
  problem = "refused: " + problem;
  return nullptr;
}

class SnapshotCrashes {
 public:
  explicit SnapshotCrashes(const MatrixOptions& options)
      : options_(options), random_(options.seed) {}

  Result PowerLoss() {
    script_ = MakeSnapshotScript(options_.seed, kPowerLossSteps);
    if (!Record(0, Fault()) || answered_at_.size() != script_.size()) return {};
    FileTrace::Instance().Stop();
    const std::vector<Operation> operations = FileTrace::Instance().operations();
    DiskImage disk;
    PossibleSnapshots before;
    std::size_t answered = 0;
    for (std::size_t position = 0; position <= operations.size(); ++position) {
      if (position > 0) ApplyUnder(options_, disk, operations[position - 1]);
      while (answered < script_.size() && AnsweredAt(answered) <= position) {
        before.Done(script_[answered++]);
      }
      PossibleSnapshots possible = before;
      if (answered < script_.size()) possible.Maybe(script_[answered]);
      where_ = "after " + std::to_string(position) + " operations, " + std::to_string(answered) +
               " calls answered";
      for (const Variant& variant : kVariants) {
        if (variant.needs_write && disk.newest_write_bytes() == 0) continue;
        if (!options_.is_whole && random_() % kShareOfImages != 0) continue;
        const Survivors survivors = disk.LosePower(variant.loss, random_);
        if (seen_.insert(survivors.Hash() + answered).second) {
          Restart(variant.name, survivors, possible);
        }
      }
    }
    std::printf("  script: %zu calls, %zu operations\n", script_.size(), operations.size());
    std::printf("  power loss: %zu images, %zu violations\n", restarts_, problems_);
    return Came(true, restarts_);
  }

  Result IoErrors() {
    script_ = MakeSnapshotScript(options_.seed + 1000, kIoErrorSteps);
    const std::size_t step = options_.is_whole ? 1 : kShareOfCalls;
    for (std::size_t kind = 0; kind < std::size(kFailures); ++kind) {
      std::uint64_t nth = options_.is_whole ? 1 : 1 + kind;
      while (FailOne(nth, kFailures[kind])) nth += step;
    }
    std::printf("  I/O errors: %zu cases, %zu restarts, %zu violations\n", cases_, restarts_,
                problems_);
    return Came(is_sound_, cases_);
  }

 private:
  [[nodiscard]] Result Came(bool is_complete, std::size_t cases) const {
    Result result;
    result.is_complete = is_complete;
    result.cases = cases;
    result.problems = problems_;
    return result;
  }

  // The script, as a process runs it that goes on after failures. False: it could not open.
  bool Record(std::uint64_t nth, const Fault& fault) {
    FileTrace& trace = FileTrace::Instance();
    possible_ = PossibleSnapshots();
    answered_at_.clear();
    Refill(Root());
    trace.Start(Root());
    if (nth != 0) trace.FailAt(nth, fault);
    std::string problem;
    auto store = OpenAt(Root(), problem);
    for (const SnapshotStep& step : script_) {
      if (store == nullptr) return false;
      if (step.kind == SnapshotStep::Kind::kReopen) {
        store->Close();
        store = OpenAt(Root(), problem);
      } else if (Run(*store, step)) {
        possible_.Maybe(step);
        store->Discard(step.partition, step.draft);
      } else {
        possible_.Done(step);
      }
      answered_at_.push_back(trace.size());
    }
    if (store != nullptr) store->Close();
    return store != nullptr;
  }

  [[nodiscard]] std::size_t AnsweredAt(std::size_t step) const {
    if (options_.control != "early-answers") return answered_at_[step];
    return step == 0 ? 0 : answered_at_[step - 1];
  }

  // False when the script ended before the call that was to fail.
  bool FailOne(std::uint64_t nth, const Failure& failure) {
    FileTrace& trace = FileTrace::Instance();
    where_ = std::string(failure.name) + " at operation " + std::to_string(nth);
    const bool is_open = Record(nth, failure.fault);
    trace.Heal();
    if (!trace.has_failed()) {
      trace.Stop();
      is_sound_ = is_sound_ && is_open;
      return false;
    }
    ++cases_;
    DiskImage disk;
    for (const Operation& operation : trace.operations()) disk.Apply(operation);
    trace.ClearOperations();
    // The process alone was restarted. What it lists then must be there after a loss of power.
    std::string problem;
    PossibleSnapshots listed;
    if (const auto store = OpenAt(Root(), problem)) {
      problem = possible_.Judge(*store);
      listed = PossibleSnapshots::Of(*store);
      store->Close();
    }
    trace.Stop();
    Note("reopened in place", problem);
    for (const Variant& variant : kVariants) {
      if (!variant.needs_write) Restart(variant.name, Lose(disk, variant.loss), possible_);
    }
    if (!problem.empty()) return true;
    for (const Operation& operation : trace.operations()) disk.Apply(operation);
    Restart("reopened in place, then after a loss of power", Lose(disk, kVariants[0].loss), listed);
    return true;
  }
  [[nodiscard]] Survivors Lose(const DiskImage& disk, const Loss& loss) {
    return disk.LosePower(loss, random_);
  }

  void Restart(const char* how, const Survivors& survivors, const PossibleSnapshots& possible) {
    ++restarts_;
    const std::string root = directory_.PathOf("image");
    Refill(root);
    survivors.WriteTo(root);
    std::string problem;
    if (const auto store = OpenAt(root, problem)) {
      problem = possible.Judge(*store);
      SnapshotStep fresh = script_.front();
      fresh.kind = SnapshotStep::Kind::kPublish;
      fresh.index = fresh.info.index = LogIndex(1'000'000);
      if (problem.empty() && Run(*store, fresh)) problem = "it takes no snapshot any more";
      store->Close();
    }
    Note(how, problem);
  }

  void Note(const char* how, const std::string& problem) {
    if (problem.empty()) return;
    if (++problems_ > kPrintedMax) return;
    std::printf("  VIOLATED %s, %s: %s\n", where_.c_str(), how, problem.c_str());
  }

  [[nodiscard]] std::string Root() const { return directory_.PathOf("disk"); }

  const MatrixOptions& options_;
  conformance::TemporaryDirectory directory_{FastDirectory()};
  std::mt19937_64 random_;
  std::vector<SnapshotStep> script_;
  std::vector<std::size_t> answered_at_;
  PossibleSnapshots possible_;
  std::string where_;
  std::unordered_set<std::uint64_t> seen_;
  std::size_t cases_ = 0;  // calls that failed
  std::size_t restarts_ = 0;
  std::size_t problems_ = 0;
  bool is_sound_ = true;
};

}  // namespace

Result RunSnapshotPowerLoss(const MatrixOptions& options) {
  return SnapshotCrashes(options).PowerLoss();
}

Result RunSnapshotIoErrors(const MatrixOptions& options) {
  return SnapshotCrashes(options).IoErrors();
}

}  // namespace kommander::crash
