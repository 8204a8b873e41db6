// What the pure core costs by itself: clusters of cores in one thread, without disk, network or
// application, every effect answered at once. A burst is one step of the leader with that many
// proposals, one step of each follower for its append, and the steps for their answers. Instruction
// counts: run one row under valgrind --tool=callgrind, with --commits instead of a time.
// `idle` is the memory of one core that leads two peers and has nothing to do.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <malloc.h>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "process_counts.hpp"
#include "raft/core.hpp"

namespace kommander::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;
using namespace kommander::raft;

struct Settings {
  std::vector<unsigned> bursts{1, 16, 256};
  unsigned nodes = 3;
  std::size_t payload_bytes = 128;
  std::uint64_t commits = 1000000;
  bool json = false;
};

// Cores whose effects are answered at once, in the order in which they come.
class LoopCluster {
 public:
  explicit LoopCluster(unsigned nodes) {
    std::vector<NodeId> voters;
    for (std::uint32_t id = 1; id <= nodes; ++id) voters.emplace_back(id);
    for (const NodeId id : voters) {
      CoreOptions options;
      options.self = id;
      options.seed = id.value();
      RecoveredPartition recovered;
      recovered.boundary.configuration = Configuration(voters);
      cores_.push_back(std::make_unique<Core>(options, std::move(recovered), LogIndex(), now_));
      One(id, Enable{true});
    }
    Drain();
    while (leader_ == nullptr) {
      now_ += std::chrono::milliseconds(10);
      for (const NodeId id : voters) One(id, Tick{});
      Drain();
      for (const auto& core : cores_) {
        if (core->Status().ready) leader_ = core.get();
      }
    }
  }

  // One burst of proposals, until all are committed and everything is quiet.
  void Burst(unsigned count, const Payload& body) {
    inputs_.clear();
    for (unsigned i = 0; i < count; ++i) {
      Propose propose;
      propose.request = RequestId(++requests_);
      propose.body = body;
      inputs_.push_back(std::move(propose));
    }
    const NodeId leader = leader_->Status().leader;
    const auto begin = SteadyClock::now();
    leader_->Step(inputs_, now_, effects_);
    propose_time_ += SteadyClock::now() - begin;
    ++steps_;
    Queue(leader);
    Drain();
    now_ += std::chrono::microseconds(50);
  }

  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] std::uint64_t completed() const { return completed_; }
  [[nodiscard]] std::uint64_t messages() const { return messages_; }
  [[nodiscard]] SteadyClock::duration propose_time() const { return propose_time_; }

 private:
  struct Pending {
    NodeId to;
    Input input;
  };

  void One(NodeId id, Input input) { queue_.push_back({id, std::move(input)}); }

  void Drain() {
    while (!queue_.empty()) {
      // What waits for the same core is one step, as in an actor.
      const NodeId id = queue_.front().to;
      inputs_.clear();
      while (!queue_.empty() && queue_.front().to == id) {
        inputs_.push_back(std::move(queue_.front().input));
        queue_.pop_front();
      }
      cores_[id.value() - 1]->Step(inputs_, now_, effects_);
      ++steps_;
      Queue(id);
    }
  }

  void Queue(NodeId id) {
    completed_ += effects_.completions.size();
    messages_ += effects_.messages.size();
    for (Message& message : effects_.messages) {
      const NodeId to = message.to;
      One(to, Receive{std::move(message)});
    }
    if (effects_.write) One(id, Persisted{effects_.write->unit});
    if (!effects_.apply.empty()) One(id, Applied{effects_.apply.back().entry.index});
  }

  Instant now_{std::chrono::seconds(1)};
  std::vector<std::unique_ptr<Core>> cores_;
  Core* leader_ = nullptr;
  std::deque<Pending> queue_;
  std::vector<Input> inputs_;
  Effects effects_;
  std::uint64_t requests_ = 0;
  std::uint64_t completed_ = 0;
  std::uint64_t steps_ = 0;
  std::uint64_t messages_ = 0;
  SteadyClock::duration propose_time_{};
};

double Nanoseconds(SteadyClock::duration time) {
  return static_cast<double>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

int Measure(const Settings& settings, unsigned burst) {
  LoopCluster cluster(settings.nodes);
  const Payload body(std::string(settings.payload_bytes, 'x'));
  for (int i = 0; i < 100; ++i) cluster.Burst(burst, body);
  const std::uint64_t steps = cluster.steps();
  const std::uint64_t messages = cluster.messages();
  const std::uint64_t completed = cluster.completed();
  const SteadyClock::duration proposed = cluster.propose_time();
  const std::uint64_t allocations = AllocationCount();
  const auto begin = SteadyClock::now();
  std::uint64_t sent = 0;
  for (; sent < settings.commits; sent += burst) cluster.Burst(burst, body);
  const SteadyClock::duration time = SteadyClock::now() - begin;
  const auto commits = static_cast<double>(cluster.completed() - completed);
  if (cluster.completed() - completed != sent) {
    std::fprintf(stderr, "bench_core_step: a proposal was not answered\n");
    return 1;
  }
  const double seconds = Nanoseconds(time) / 1e9;
  const double per_proposal = Nanoseconds(cluster.propose_time() - proposed) / commits;
  const double new_allocations = static_cast<double>(AllocationCount() - allocations);
  const double new_steps = static_cast<double>(cluster.steps() - steps);
  const double new_messages = static_cast<double>(cluster.messages() - messages);
  const char* format =
      settings.json
          ? "{\"nodes\":%u,\"burst\":%u,\"commits_per_second\":%.0f,\"steps_per_second\":%.0f,"
            "\"propose_ns\":%.1f,\"steps_per_commit\":%.3f,\"messages_per_commit\":%.3f,"
            "\"allocations_per_commit\":%.3f}\n"
          : "%5u %6u %12.0f %12.0f %11.1f %13.3f %16.3f %14.3f\n";
  std::printf(format, settings.nodes, burst, commits / seconds, new_steps / seconds, per_proposal,
              new_steps / commits, new_messages / commits, new_allocations / commits);
  std::fflush(stdout);
  return 0;
}

// Bytes of heap per idle cluster, divided by its nodes.
void MeasureIdle(const Settings& settings) {
  constexpr std::size_t kClusters = 300;
  const Payload body(std::string(settings.payload_bytes, 'x'));
  std::vector<std::unique_ptr<LoopCluster>> clusters;
  clusters.reserve(kClusters);
  const std::size_t before = mallinfo2().uordblks;
  for (std::size_t i = 0; i < kClusters; ++i) {
    clusters.push_back(std::make_unique<LoopCluster>(settings.nodes));
    for (int burst = 0; burst < 10; ++burst) clusters.back()->Burst(1, body);
  }
  const double bytes = static_cast<double>(mallinfo2().uordblks - before);
  std::printf(settings.json ? "{\"idle_bytes_per_core\":%.0f}\n" : "idle: %.0f bytes per core\n",
              bytes / kClusters / settings.nodes);
}

int Run(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures the pure Raft core: clusters of cores in one thread, without I/O.");
  app.add_option("--burst", settings.bursts, "proposals in one step of the leader")
      ->check(CLI::Range(1U, 65536U))
      ->capture_default_str();
  app.add_option("--nodes", settings.nodes, "cores of one cluster")
      ->check(CLI::Range(1U, 7U))
      ->capture_default_str();
  app.add_option("--payload", settings.payload_bytes, "bytes of one proposal")
      ->check(CLI::Range(0U, 1U << 20))
      ->capture_default_str();
  app.add_option("--commits", settings.commits, "per line")->capture_default_str();
  app.add_flag("--json", settings.json, "one JSON object per line instead of a table");
  CLI11_PARSE(app, argc, argv);
  if (!settings.json) {
    std::printf("%5s %6s %12s %12s %11s %13s %16s %14s\n", "nodes", "burst", "commits/s", "steps/s",
                "propose ns", "steps/commit", "messages/commit", "allocs/commit");
  }
  for (const unsigned burst : settings.bursts) {
    if (const int failure = Measure(settings, burst)) return failure;
  }
  MeasureIdle(settings);
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) { return kommander::bench::Run(argc, argv); }
