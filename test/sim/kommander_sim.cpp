// kommander-sim: runs seeds of the deterministic world, on all cores, and says which ones break a
// promise. Each worker is a process of its own, since a world tolerates one thread.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <numeric>
#include <optional>
#include <poll.h>
#include <signal.h>
#include <string>
#include <sys/types.h>
#include <sys/wait.h>
#include <thread>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "die_with_parent.hpp"
#include "plan_text.hpp"
#include "post_mortem.hpp"
#include "pulses.hpp"
#include "seed_range.hpp"
#include "seed_report.hpp"
#include "shrink.hpp"
#include "sim_arguments.hpp"
#include "simulation.hpp"

namespace {

using namespace kommander::sim;
using kommander::Duration;

// How a seed failed, in a word: a shorter plan has to fail in the same way.
std::string WayOf(const SimulationResult& result) {
  if (!result.violations.empty()) return result.violations.front().invariant;
  return result.stuck.substr(0, result.stuck.find('\n'));
}

// Each run takes as long as the seed itself, or less.
constexpr std::size_t kShrinkRunsMax = 200;

std::string TextOf(const ShrunkPlan& shrunk, std::size_t faults) {
  return "  " + std::to_string(shrunk.plan.size()) + " of " + std::to_string(faults) +
         " faults are enough" + (shrunk.is_minimal ? "" : " (not the least, perhaps)") + ", by " +
         std::to_string(shrunk.runs) + " more runs; as a file for --plan:\n" +
         PrintPlan(shrunk.plan);
}

SimulationResult Simulate(const Arguments& arguments, Simulation& simulation) {
  SimulationResult result = simulation.Run();
  if (arguments.abort_after && result.faults[static_cast<std::size_t>(*arguments.abort_after)]) {
    std::abort();
  }
  return result;
}

std::string ShrunkText(const SimulationOptions& options, const std::vector<Fault>& plan,
                       const std::string& way) {
  const auto fails = [&](const std::vector<Fault>& candidate) {
    SimulationOptions again = options;
    again.plan = candidate;
    again.trace = nullptr;
    return WayOf(Simulation(again).Run()) == way;
  };
  return TextOf(ShrinkPlan(plan, kShrinkRunsMax, fails), plan.size());
}

// The same for a seed that ended its worker, `status` being how.
std::string DeadlyText(const Arguments& arguments, std::uint64_t seed, int status) {
  const SimulationOptions options = OptionsOf(arguments, seed);
  const std::vector<Fault> plan = Simulation(options).plan();
  PostMortemLimits limits;
  limits.runs_max = kShrinkRunsMax;
  const PostMortem found =
      ShrinkDeadly(plan, status, limits, [&](const std::vector<Fault>& candidate) {
        SimulationOptions again = options;
        again.plan = candidate;
        Simulation simulation(again);
        static_cast<void>(Simulate(arguments, simulation));
      });
  if (!found.is_repeated) return "  run once more, it did not end in the same way\n";
  return TextOf(found.shrunk, plan.size());
}

std::string FailureText(const Arguments& arguments, const SimulationOptions& options,
                        const Simulation& simulation, const SimulationResult& result) {
  std::string text;
  for (const Violation& violation : result.violations) {
    text += "  " + violation.invariant + ": " + violation.what + "\n";
  }
  if (!result.stuck.empty()) text += "  stuck: " + result.stuck + "\n";
  text += "  after " + std::to_string(std::chrono::duration<double>(result.virtual_time).count()) +
          " virtual s, " + std::to_string(simulation.cluster().nodes) + " nodes, " +
          std::to_string(simulation.cluster().partitions) + " partitions\n";
  if (!arguments.no_shrink && !simulation.plan().empty()) {
    text += ShrunkText(options, simulation.plan(), WayOf(result));
  }
  return text;
}

double CpuSeconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

SeedReport RunSeed(const Arguments& arguments, std::uint64_t seed, std::string& text) {
  SimulationOptions options = OptionsOf(arguments, seed);
  std::string trace;
  if (arguments.trace_file != nullptr) options.trace = &trace;
  SeedReport report;
  report.seed = seed;
  const double cpu_began = CpuSeconds();
  Simulation simulation(options);
  const SimulationResult result = Simulate(arguments, simulation);
  report.cpu_seconds = CpuSeconds() - cpu_began;
  report.violations = result.violation_count;
  report.is_stuck = result.stuck.empty() ? 0 : 1;
  report.virtual_seconds = std::chrono::duration<double>(result.virtual_time).count();
  report.steps = result.steps;
  report.hash = result.trace_hash;
  report.faults = result.faults;
  report.long_disk_stalls = result.long_disk_stalls;
  report.network = result.network;
  report.workload = result.workload;
  report.features = result.features;
  report.units_torn = result.units_torn;
  report.elections = result.elections;
  report.is_deceived = result.deceived ? 1 : 0;
  report.followed = result.followed;
  if (!result.IsGood()) {
    text = FailureText(arguments, options, simulation, result);
    text += "  virtual time of the end is that of the first violation\n";
  }
  if (options.trace != nullptr) {
    std::fwrite(trace.data(), 1, trace.size(), arguments.trace_file);
    const bool is_written = std::ferror(arguments.trace_file) == 0;
    if (std::fclose(arguments.trace_file) != 0 || !is_written) {
      std::fprintf(stderr, "kommander-sim: cannot write %s: %s\n", arguments.trace.c_str(),
                   std::strerror(errno));
      report.is_trace_lost = 1;
    }
  }
  report.text_bytes = static_cast<std::uint32_t>(text.size());
  return report;
}

bool WriteFully(int file, const void* data, std::size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t count = ::write(file, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

bool ReadFully(int file, void* data, std::size_t size) {
  char* bytes = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t count = ::read(file, bytes, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

// One message per write, below PIPE_BUF as a rule: a lock is not needed, the reader knows its
// worker by its pipe.
int RunWorker(const Arguments& arguments, int file, std::uint32_t job, std::uint32_t jobs) {
  for (std::uint64_t seed = arguments.first + job; seed <= arguments.last; seed += jobs) {
    if (seed < arguments.first) break;  // wrapped around
    SeedReport begin;
    begin.seed = seed;
    begin.is_begin = 1;
    if (!WriteFully(file, &begin, sizeof begin)) return 3;
    std::string text;
    const SeedReport report = RunSeed(arguments, seed, text);
    if (!WriteFully(file, &report, sizeof report)) return 3;
    if (!WriteFully(file, text.data(), text.size())) return 3;
    if (arguments.last - seed < jobs) break;
  }
  return 0;
}

struct Worker {
  pid_t process = 0;
  int file = -1;
  std::uint64_t seed = 0;  // the one it runs
  double virtual_seconds = 0;
  double cpu_seconds = 0;
  std::uint64_t pulse = 0;                          // as it was found last,
  std::chrono::steady_clock::time_point beat_at{};  // and when it was first found so
  bool is_hung = false;
  std::optional<int> deadly;  // how it ended, as waitpid tells it, if its seed is to be cut down

  // Virtual seconds per second of one core; none before it has ended a seed.
  [[nodiscard]] std::optional<double> Speed() const {
    return cpu_seconds > 0 ? std::optional(virtual_seconds / cpu_seconds) : std::nullopt;
  }
};

// Everything of one worker until its next message; false: it has ended.
bool TakeMessage(const Arguments& arguments, Worker& worker, Totals& totals) {
  SeedReport report;
  if (!ReadFully(worker.file, &report, sizeof report)) return false;
  worker.seed = report.seed;
  if (report.is_begin != 0) return true;
  std::string text(report.text_bytes, '\0');
  if (!ReadFully(worker.file, text.data(), text.size())) return false;
  totals.Add(report);
  worker.virtual_seconds += report.virtual_seconds;
  worker.cpu_seconds += report.cpu_seconds;
  if (report.violations != 0 || report.is_stuck != 0) {
    std::printf("seed %" PRIu64 " FAILED\n%s", report.seed, text.c_str());
    PrintReplay(arguments, report.seed);
  } else if (arguments.verbose) {
    std::printf("seed %" PRIu64 ": %.1f virtual s, %" PRIu64 " steps, hash %016" PRIx64 ", %" PRIu64
                " acked, %" PRIu64 " reads\n",
                report.seed, report.virtual_seconds, report.steps, report.hash,
                report.workload.writes_acked, report.workload.reads_confirmed);
  }
  return true;
}

void EndWorker(const Arguments& arguments, Worker& worker, Totals& totals) {
  ::close(std::exchange(worker.file, -1));
  int status = 0;
  while (::waitpid(worker.process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  ++totals.crashed;
  ++totals.violations;
  if (worker.is_hung) {
    std::printf("seed %" PRIu64 " FAILED: virtual time has not moved for %" PRIu64
                " s; the worker was ended\n",
                worker.seed, arguments.watchdog_seconds);
  } else if (WIFSIGNALED(status)) {
    std::printf("seed %" PRIu64 " FAILED: the worker was ended by signal %d\n", worker.seed,
                WTERMSIG(status));
  } else {
    std::printf("seed %" PRIu64 " FAILED: the worker exited with %d\n", worker.seed,
                WEXITSTATUS(status));
  }
  PrintReplay(arguments, worker.seed);
  // One that hangs would take the patience of the watchdog for each try.
  if (!worker.is_hung && !arguments.no_shrink) worker.deadly = status;
}

// Once all have ended: nobody hears the others meanwhile.
void CutDownDeadlySeeds(const Arguments& arguments, const std::vector<Worker>& workers) {
  for (const Worker& worker : workers) {
    if (!worker.deadly) continue;
    std::printf("seed %" PRIu64 ", which ended its worker:\n", worker.seed);
    std::fflush(stdout);
    std::printf("%s", DeadlyText(arguments, worker.seed, *worker.deadly).c_str());
  }
}

// Those of the disk stalls that have held somebody up for a second or more; no kind of its own.
constexpr const char* kLongDiskStall = "long-disk-stall";

// A core's speed does not depend on what else runs beside it, as far as that goes.
void PrintSpeed(const std::vector<Worker>& workers) {
  double virtual_seconds = 0;
  double cpu_seconds = 0;
  for (const Worker& worker : workers) {
    virtual_seconds += worker.virtual_seconds;
    cpu_seconds += worker.cpu_seconds;
  }
  std::printf("cpu_seconds=%.1f virtual_per_cpu=%.0f of_each_worker=", cpu_seconds,
              cpu_seconds > 0 ? virtual_seconds / cpu_seconds : 0.0);
  for (std::size_t i = 0; i < workers.size(); ++i) {
    std::printf("%s%.0f", i == 0 ? "" : ",", workers[i].Speed().value_or(0));
  }
  std::printf("\n");
}

bool IsFastEnough(const Arguments& arguments, const std::vector<Worker>& workers) {
  bool is_fast = true;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const std::optional<double> speed = workers[i].Speed();
    if (!speed || *speed >= static_cast<double>(arguments.require_speed)) continue;
    is_fast = false;
    std::printf("worker %zu came to %.0f virtual seconds per CPU second, and %" PRIu64
                " were required\n",
                i + 1, *speed, arguments.require_speed);
  }
  return is_fast;
}

void PrintTotals(const Totals& totals, const std::vector<Worker>& workers, double wall_seconds) {
  std::printf("calls=%" PRIu64 " acked_writes=%" PRIu64 " confirmed_reads=%" PRIu64
              " failed=%" PRIu64 " died=%" PRIu64 " terms=%" PRIu64 " steps=%" PRIu64 "\n",
              totals.workload.began, totals.workload.writes_acked, totals.workload.reads_confirmed,
              totals.workload.failed, totals.workload.died, totals.elections, totals.steps);
  std::printf("messages=%" PRIu64 " delivered=%" PRIu64 " lost=%" PRIu64 " cut=%" PRIu64
              " duplicated=%" PRIu64 " reordered=%" PRIu64 " resets=%" PRIu64 " encoded=%" PRIu64
              " torn_units=%" PRIu64 "\n",
              totals.network.sent, totals.network.delivered, totals.network.lost,
              totals.network.cut, totals.network.duplicated, totals.network.reordered,
              totals.network.connections_dropped, totals.network.encoded, totals.units_torn);
  for (std::size_t i = 0; i < kFeatures; ++i) {
    std::printf("%s%s=%" PRIu64, i == 0 ? "features: " : " ",
                std::string(ToString(static_cast<Feature>(i))).c_str(), totals.features[i]);
  }
  std::printf("\nstrange=%" PRIu64 " lies=%" PRIu64 " followed=%" PRIu64 " deceived_seeds=%" PRIu64
              "\n",
              totals.network.strange, totals.network.lies, totals.followed, totals.deceived);
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    std::printf("%s%s=%" PRIu64, i == 0 ? "faults: " : " ",
                std::string(ToString(static_cast<FaultKind>(i))).c_str(), totals.faults[i]);
  }
  std::printf(" %s=%" PRIu64, kLongDiskStall, totals.long_disk_stalls);
  const std::uint64_t faults =
      std::accumulate(totals.faults.begin(), totals.faults.end(), std::uint64_t{0});
  std::printf("\nwall_seconds=%.1f virtual_per_wall=%.0f\n", wall_seconds,
              wall_seconds > 0 ? totals.virtual_seconds / wall_seconds : 0.0);
  PrintSpeed(workers);
  std::printf("sim: seeds=%" PRIu64 " virtual_hours=%.2f violations=%" PRIu64 " stuck=%" PRIu64
              " faults=%" PRIu64 " operations=%" PRIu64 "\n",
              totals.seeds, totals.virtual_seconds / 3600, totals.violations, totals.stuck, faults,
              totals.workload.began);
}

// Names every kind that took effect too seldom.
bool HasEveryFault(const Arguments& arguments, const Totals& totals) {
  bool is_complete = true;
  const auto require_fault = [&](const std::string& name, std::uint64_t count) {
    if (count >= arguments.require_faults) return;
    is_complete = false;
    std::printf("fault %s took effect %" PRIu64 " times, and %" PRIu64 " were required\n",
                name.c_str(), count, arguments.require_faults);
  };
  for (std::size_t i = 0; i < kFaultKinds; ++i) {
    const auto kind = static_cast<FaultKind>(i);
    const bool cannot = arguments.nodes != 0 && arguments.nodes < NodesNeeded(kind);
    if (!cannot) require_fault(std::string(ToString(kind)), totals.faults[i]);
  }
  require_fault(kLongDiskStall, totals.long_disk_stalls);
  const auto require = [&](bool is_on, const char* what, std::uint64_t count) {
    if (!is_on || count >= arguments.require_faults) return;
    is_complete = false;
    std::printf("%s: %" PRIu64 ", and %" PRIu64 " were required\n", what, count,
                arguments.require_faults);
  };
  for (std::size_t i = 0; i < kFeatures; ++i) {
    const auto feature = static_cast<Feature>(i);
    const bool needs_others =
        feature == Feature::kForwarded || feature == Feature::kAwaitedElsewhere ||
        feature == Feature::kSessionsElsewhere || feature == Feature::kLogsReplaced;
    require(!needs_others || arguments.nodes != 1, std::string(ToString(feature)).c_str(),
            totals.features[i]);
  }
  require(arguments.stranger, "messages of a stranger that nodes were handed",
          totals.network.strange);
  require(arguments.liar, "lies that nodes were handed", totals.network.lies);
  require(arguments.liar, "times that nodes were in a liar's term", totals.followed);
  return is_complete;
}

// False: the system does not let it.
bool StartWorker(const Arguments& arguments, std::vector<Worker>& workers, std::uint32_t job,
                 Pulses& pulses) {
  int files[2];
  if (::pipe(files) != 0) {
    std::perror("kommander-sim: pipe");
    return false;
  }
  const pid_t self = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) {
    std::perror("kommander-sim: fork");
    return false;
  }
  if (process == 0) {
    DieWithParent(self);
    ::close(files[0]);
    for (const Worker& other : workers) {
      if (other.file >= 0) ::close(other.file);
    }
    Arguments own = arguments;
    own.pulse = &pulses.Of(job);
    const int code = RunWorker(own, files[1], job, static_cast<std::uint32_t>(workers.size()));
    std::fflush(nullptr);
    ::_exit(code);
  }
  ::close(files[1]);
  workers[job].process = process;
  workers[job].file = files[0];
  workers[job].seed = arguments.first + job;  // until it says so itself
  workers[job].beat_at = std::chrono::steady_clock::now();
  return true;
}

// Whose virtual time stands still does not come to an end by itself: a loop inside one function is
// the likeliest reason. Ended, it is heard of like any worker that dies.
void EndIfHung(const Arguments& arguments, Worker& worker, std::uint64_t pulse) {
  const auto now = std::chrono::steady_clock::now();
  if (pulse != worker.pulse) {
    worker.pulse = pulse;
    worker.beat_at = now;
  }
  const auto limit = std::chrono::seconds(arguments.watchdog_seconds);
  if (arguments.watchdog_seconds == 0 || worker.is_hung || now - worker.beat_at < limit) return;
  worker.is_hung = true;
  ::kill(worker.process, SIGKILL);
}

void HearWorkers(const Arguments& arguments, std::vector<Worker>& workers, Pulses& pulses,
                 Totals& totals) {
  auto told = std::chrono::steady_clock::now();
  for (std::size_t alive = workers.size(); alive > 0;) {
    std::vector<pollfd> files;
    for (const Worker& worker : workers) files.push_back({worker.file, POLLIN, 0});
    if (::poll(files.data(), files.size(), 1000) < 0 && errno != EINTR) {
      std::perror("kommander-sim: poll");
      ::_exit(2);
    }
    for (std::size_t job = 0; job < workers.size(); ++job) {
      Worker& worker = workers[job];
      if (worker.file < 0) continue;
      if (files[job].revents == 0) {
        EndIfHung(arguments, worker, pulses.Of(static_cast<std::uint32_t>(job)).load());
      } else if (!TakeMessage(arguments, worker, totals)) {
        EndWorker(arguments, worker, totals);
        --alive;
      }
    }
    const auto now = std::chrono::steady_clock::now();
    if (now - told <= std::chrono::seconds(5)) continue;
    told = now;
    std::fprintf(stderr,
                 "kommander-sim: %" PRIu64 " seeds, %.1f virtual hours, %" PRIu64
                 " violations, %" PRIu64 " stuck\n",
                 totals.seeds, totals.virtual_seconds / 3600, totals.violations, totals.stuck);
  }
}

int RunAll(const Arguments& arguments) {
  const auto began = std::chrono::steady_clock::now();
  const std::uint64_t count = arguments.last - arguments.first;
  std::uint32_t jobs = arguments.jobs;
  if (jobs == 0) jobs = std::max(1u, std::thread::hardware_concurrency());
  if (count < jobs) jobs = static_cast<std::uint32_t>(count) + 1;
  std::vector<Worker> workers(jobs);
  Pulses pulses(jobs);
  std::fflush(stdout);
  for (std::uint32_t job = 0; job < jobs; ++job) {
    if (!StartWorker(arguments, workers, job, pulses)) return 2;
  }
  Totals totals;
  HearWorkers(arguments, workers, pulses, totals);
  const double wall =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  CutDownDeadlySeeds(arguments, workers);
  const bool is_complete = HasEveryFault(arguments, totals);
  const bool is_fast = IsFastEnough(arguments, workers);
  PrintTotals(totals, workers, wall);
  if (totals.violations != 0 || totals.stuck != 0 || !is_complete || !is_fast) return 1;
  return totals.traces_lost == 0 ? 0 : 2;
}

}  // namespace

int main(int count, char** values) {
  Arguments arguments;
  std::string seeds = "0..99";
  CLI::App app(
      "Runs whole clusters in a deterministic world, one per seed: faults first, with every "
      "invariant checked after every step, then everything is healed and the cluster must recover. "
      "Exit code 0: all seeds are good; 1: a violation, a stuck cluster or faults that are "
      "missing; 2: bad usage, or a trace that cannot be written. The plan of a failing seed is cut "
      "down to the faults that it needs.",
      "kommander-sim");
  AddOptions(app, arguments, seeds);
  try {
    app.parse(count, values);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (const auto range = ParseSeeds(seeds)) {
    arguments.first = range->first;
    arguments.last = range->last;
  } else {
    std::fprintf(stderr, "kommander-sim: --seeds wants A..B with A <= B, not \"%s\"\n",
                 seeds.c_str());
    return 2;
  }
  if (!arguments.trace.empty() && arguments.first != arguments.last) {
    std::fprintf(stderr, "kommander-sim: --trace wants a single seed\n");
    return 2;
  }
  if (!arguments.plan_file.empty()) {
    if (arguments.first != arguments.last || arguments.no_faults) {
      std::fprintf(stderr, "kommander-sim: --plan wants a single seed, with faults\n");
      return 2;
    }
    if (!ReadPlan(arguments)) return 2;
  }
  if (!arguments.trace.empty()) {
    arguments.trace_file = std::fopen(arguments.trace.c_str(), "w");
    if (arguments.trace_file == nullptr) {
      std::fprintf(stderr, "kommander-sim: cannot write %s: %s\n", arguments.trace.c_str(),
                   std::strerror(errno));
      return 2;
    }
  }
  return RunAll(arguments);
}
