// Links that are cut so that not everybody hears everybody: whoever still hears a quorum goes on
// leading, and who does not hear the leader does not unseat it.
#include <algorithm>
#include <map>
#include <memory>

#include <boost/asio/bind_executor.hpp>

#include <kommander/raft_manager.hpp>

#include "catch.hpp"
#include "checker.hpp"
#include "guest.hpp"
#include "sim_node.hpp"
#include "simulation.hpp"
#include "world.hpp"

using namespace kommander;
using namespace kommander::sim;
using namespace std::chrono_literals;

namespace {

constexpr Duration kCutAt = 5s;
constexpr Duration kCutFor = 30s;
constexpr Duration kAfterwards = 5s;
constexpr Duration kPause = 50ms;  // between two writes

// What one partition went through from the cut on, until some seconds after its end.
struct Course {
  Term first;  // the highest term of any node when the links were cut,
  Term last;   // and at the end
  std::uint64_t acked = 0;
  Instant acked_at{};
  Duration longest_gap{};  // between two acknowledgements
  [[nodiscard]] std::uint64_t terms() const noexcept { return last.value() - first.value(); }
};

// Writes to whoever leads, and does nothing else: a leader that is unseated was not asked to go.
class SteadyWriter final : public Guest {
 public:
  void Enter(World& world, Checker&, const std::vector<std::unique_ptr<SimNode>>& nodes,
             const ClusterOptions& cluster) override {
    world_ = &world;
    nodes_ = &nodes;
    election_timeout_ = cluster.election_timeout;
    for (std::uint32_t id = 0; id <= cluster.partitions; ++id) courses_[id];
    process_ = std::make_unique<Process>(world, "writer");
  }
  void Leave() override { process_.reset(); }
  std::shared_ptr<void> Begin(SimNode&, std::uint64_t) override { return nullptr; }
  void ProcessEnded(const ProcessRecord&) override {}
  void BeginLoad() override {
    is_loading_ = true;
    cut_at_ = world_->Now() + kCutAt;
    Next();
  }
  void EndLoad() override { is_loading_ = false; }
  [[nodiscard]] bool IsLoadOver() const override { return open_ == 0; }
  void Stepped() override {}
  void Converged() override {}

  [[nodiscard]] const std::map<PartitionId, Course>& courses() const noexcept { return courses_; }
  [[nodiscard]] Duration election_timeout() const noexcept { return election_timeout_; }

 private:
  [[nodiscard]] bool IsWatching() const noexcept {
    return world_->Now() >= cut_at_ && world_->Now() < cut_at_ + kCutFor + kAfterwards;
  }
  void Next() {
    world_->PushAt(process_->record(), world_->Now() + kPause, [this] {
      if (!is_loading_) return;
      for (auto& [partition, course] : courses_) {
        Watch(partition, course);
        if (partition != PartitionId(0)) Write(partition, course);
      }
      Next();
    });
  }
  void Watch(PartitionId partition, Course& course) {
    if (!IsWatching()) return;
    for (const auto& node : *nodes_) {
      course.last = std::max(course.last, node->raft()->Status(partition).term);
    }
    if (course.first == Term()) {
      course.first = course.last;
      course.acked_at = world_->Now();
    }
    course.longest_gap = std::max(course.longest_gap, world_->Now() - course.acked_at);
  }
  void Write(PartitionId partition, Course& course) {
    for (const auto& node : *nodes_) {
      if (!node->raft()->Status(partition).ready) continue;
      ++open_;
      node->raft()->ReplicateLogs(
          partition, "steady", Payload("write"),
          boost::asio::bind_executor(process_->get_executor(),
                                     [this, &course](error_code error, const ReplicateResult&) {
                                       --open_;
                                       if (error || !IsWatching()) return;
                                       ++course.acked;
                                       course.acked_at = world_->Now();
                                     }));
    }
  }

  World* world_ = nullptr;
  const std::vector<std::unique_ptr<SimNode>>* nodes_ = nullptr;
  std::unique_ptr<Process> process_;
  Duration election_timeout_{};
  Instant cut_at_{};
  std::map<PartitionId, Course> courses_;
  std::uint64_t open_ = 0;
  bool is_loading_ = false;
};

Fault MakeCut(FaultKind kind, std::uint32_t node = 0, std::uint64_t draw = 0) {
  Fault fault;
  fault.kind = kind;
  fault.at = kCutAt;
  fault.length = kCutFor;
  fault.node = node;
  fault.draw = draw;
  return fault;
}

// From the cut on no partition needs more than `terms_max` new terms, and none waits for the next
// acknowledgement for more than `timeouts_max` election timeouts.
void CheckCourse(std::uint32_t nodes, const Fault& cut, std::uint64_t terms_max,
                 std::int64_t timeouts_max) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SteadyWriter writer;
    SimulationOptions options;
    options.seed = seed;
    options.length = kCutAt + kCutFor + kAfterwards;
    options.nodes = nodes;
    options.partitions = 2;
    options.guest = &writer;
    options.plan = {cut};
    const SimulationResult result = Simulation(options).Run();
    CHECK(result.IsGood());
    CHECK(result.faults[static_cast<std::size_t>(cut.kind)] == 1);
    for (const auto& [partition, course] : writer.courses()) {
      INFO("seed " << seed << ", partition " << partition.value());
      CHECK(course.terms() <= terms_max);
      if (partition == PartitionId(0)) continue;
      CHECK(course.acked > 400);  // of 700, one per pause
      CHECK(course.longest_gap <= timeouts_max * writer.election_timeout());
    }
  }
}

}  // namespace

// Every leader hears its two neighbours, which are a quorum with it. The other two do not hear it,
// but of those whom they ask for a vote one always does: nobody has a reason to leave the term, and
// no write takes as long as an election would.
TEST_CASE("a ring of five keeps its leaders") { CheckCourse(5, MakeCut(FaultKind::kRing), 0, 1); }

// Two, two, and one that hears both sides: with it each side is a quorum, and it hears the leader.
TEST_CASE("five nodes with a bridge keep their leaders") {
  CheckCourse(5, MakeCut(FaultKind::kBridge, 2, 0b00011), 0, 1);
}

// One hears the bridge only, which is no quorum. Where it leads, it has to give up, or else the
// bridge, which the others need, stays with it. That takes T, the others campaign within 2T more,
// and chance may have to decide once more between them: two terms, and twice those 3T.
TEST_CASE("a leader that hears no quorum makes way for one that does") {
  for (std::uint32_t lone = 0; lone < 4; ++lone) {
    CheckCourse(4, MakeCut(FaultKind::kBridge, (lone + 1) % 4, std::uint64_t{1} << lone), 2, 6);
  }
}
