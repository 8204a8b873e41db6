// Calls of the operating system that fail, the first, the second and so on, until a script meets
// none: whatever was answered before is durable, nothing is answered afterwards, and the next start
// needs no hand.
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "matrix.hpp"
#include "recording.hpp"

namespace kommander::crash {
namespace {

using Names = Loss::Names;
using Bytes = Loss::Contents;

struct Kind {
  const char* name;
  Fault fault;
};
constexpr Kind kKinds[] = {
    {"EIO once", {EIO, false}},       {"EIO for good", {EIO, true}},
    {"ENOSPC once", {ENOSPC, false}}, {"ENOSPC for good", {ENOSPC, true}},
    {"a short write", {0, false}},
};
constexpr std::uint32_t kFarPartitions = 1'000'000;  // the script has none beyond; of file set 0
constexpr std::size_t kShareStep = 17;               // prime to the number of kinds

struct Counts {
  std::size_t cases = 0;
  std::size_t unopened = 0;  // the log refused to open or to reopen
  std::size_t stopped = 0;   // a call failed, and all after it
  std::size_t passed = 0;    // the script passed in spite of the failure
  std::size_t restarts = 0;
  std::size_t problems = 0;
};

class IoErrors {
 public:
  IoErrors(const Backend& backend, const MatrixOptions& options)
      : options_(options), workshop_(backend), random_(options.seed) {
    ScriptOptions script_options;
    script_options.seed = options.seed + 1000;
    script_options.steps = 40;
    script_options.body_bytes_max = 60'000;
    script_options.reopen_every = 25;
    script_ = MakeScript(script_options);
  }

  Result Run() {
    std::size_t operations = 0;
    const std::size_t step = options_.is_whole ? 1 : kShareStep;
    for (std::size_t kind = 0; kind < std::size(kKinds); ++kind) {
      // A share is another one for each kind.
      std::uint64_t nth = options_.is_whole ? 1 : 1 + kind * 3;
      while (RunCase(nth, kKinds[kind])) nth += step;
      operations = std::max<std::size_t>(operations, nth);
    }
    std::printf("  operations: up to %zu of %zu calls; kinds of failure: %zu\n", operations,
                script_.size(), std::size(kKinds));
    std::printf(
        "  cases: %zu (%zu refused to open, %zu stopped for good, %zu passed all the same)\n",
        counts_.cases, counts_.unopened, counts_.stopped, counts_.passed);
    std::printf("  I/O errors: %zu cases, %zu restarts, %zu violations\n", counts_.cases,
                counts_.restarts, counts_.problems);
    Result result;
    result.is_complete = is_sound_;
    result.cases = counts_.cases;
    result.problems = counts_.problems;
    return result;
  }

 private:
  // False when the script ended before the operation that was to fail.
  bool RunCase(std::uint64_t nth, const Kind& kind) {
    FileTrace& trace = FileTrace::Instance();
    where_ = std::string(kind.name) + " at operation " + std::to_string(nth);
    const Progress progress = workshop_.Record(script_, nth, kind.fault);
    if (progress.is_open && !progress.is_done) CheckFailStop();
    workshop_.Close();
    trace.Heal();
    if (!trace.has_failed()) {
      trace.Stop();
      if (!progress.is_done) {
        is_sound_ = false;
        Problem("the script did not pass on a sound disk");
      }
      return false;
    }
    ++counts_.cases;
    if (progress.is_done) {
      ++counts_.passed;
    } else {
      ++(progress.is_open ? counts_.stopped : counts_.unopened);
    }
    Contents before;
    const std::size_t answered = progress.answered_at.size();
    for (std::size_t i = 0; i < answered; ++i) before.Apply(script_[i]);
    Contents after = before;
    if (answered < script_.size()) after.Apply(script_[answered]);
    CheckRestarts(before, after);
    return true;
  }

  // A file set that has failed takes nothing more, also when the disk is well again; another goes
  // on. The first call to each tells which one it is.
  void CheckFailStop() {
    FileTrace::Instance().Heal();
    std::size_t failed = 0;
    for (std::uint32_t set = 0; set < workshop_.wal()->FileSets(); ++set) {
      Step removal;
      removal.kind = Step::Kind::kDelete;
      removal.partition = PartitionId(set + kFarPartitions);
      const error_code first = crash::Run(*workshop_.wal(), removal);
      if (!first) continue;
      ++failed;
      Step write;
      WriteUnit& unit = write.units.emplace_back();
      unit.partition = removal.partition;
      unit.boundary.emplace();
      Step metadata = removal;
      if (set == 0) metadata.kind = Step::Kind::kMetadata;
      for (const Step* step : {&write, &metadata, &removal, &write}) {
        if (crash::Run(*workshop_.wal(), *step) != RaftErrc::StorageFailed) {
          Problem("a call after the failure was not refused");
        }
      }
    }
    if (failed == 0) Problem("no call after the failure was refused");
  }

  void CheckRestarts(const Contents& before, const Contents& after) {
    FileTrace& trace = FileTrace::Instance();
    DiskImage disk;
    for (const Operation& operation : trace.operations()) disk.Apply(operation);
    trace.ClearOperations();
    // The process alone was restarted: it reads pages that may not be on the disk. What it reports
    // must be there afterwards.
    const Outcome reopened = workshop_.ReopenRecorded(before, after);
    trace.Stop();
    Judge("reopened in place", reopened);
    for (const Loss& loss :
         {Loss{Names::kNone, Bytes::kNone, 0}, Loss{Names::kSome, Bytes::kSomeSectors, 0},
          Loss{Names::kAll, Bytes::kAll, 0}}) {
      Judge("after a loss of power",
            workshop_.Restart(disk.LosePower(loss, random_), before, after));
    }
    if (!reopened.is_well()) return;
    for (const Operation& operation : trace.operations()) disk.Apply(operation);
    const Survivors survivors = disk.LosePower({Names::kNone, Bytes::kNone, 0}, random_);
    Judge("reopened in place, then after a loss of power",
          workshop_.Restart(survivors, reopened.read.found, reopened.read.found));
  }

  void Judge(const char* what, const Outcome& outcome) {
    ++counts_.restarts;
    if (!outcome.is_well()) Problem(std::string(what) + ": " + outcome.Problem());
  }
  void Problem(const std::string& what) {
    ++counts_.problems;
    std::printf("  VIOLATED %s: %s\n", where_.c_str(), what.c_str());
  }

  const MatrixOptions& options_;
  Workshop workshop_;
  std::mt19937_64 random_;
  std::vector<Step> script_;
  std::string where_;
  Counts counts_;
  bool is_sound_ = true;
};

}  // namespace

Result RunIoErrors(const Backend& backend, const MatrixOptions& options) {
  return IoErrors(backend, options).Run();
}

}  // namespace kommander::crash
