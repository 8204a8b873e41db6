// What whole nodes tell those who run them: metrics, records and views.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <kommander/prometheus_metrics.hpp>

#include "catch.hpp"
#include "support/test_cluster.hpp"
#include "support/world.hpp"

namespace kommander::test {
namespace {

// The samples of a text, `name{labels}` each.
std::map<std::string, double> SamplesOf(const std::string& text) {
  std::map<std::string, double> samples;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.rfind(' ');
    REQUIRE(space != std::string::npos);
    CAPTURE(line);
    REQUIRE(samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second);
  }
  return samples;
}

std::string PageText(const char* path) {
  std::ifstream file(path);
  REQUIRE(file.is_open());
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first cell names one metric in full and others by their ends: `kommander_io_a`, `_io_b`. An
// end is put after the part of the first name up to the same word.
void AddNames(const std::string& line, std::set<std::string>& names) {
  const std::string cell = line.substr(0, line.find('|', 1));
  std::string prefix;
  for (std::size_t at = cell.find('`'); at != std::string::npos;) {
    const std::size_t end = cell.find('`', at + 1);
    std::string name = cell.substr(at + 1, end - at - 1);
    name = name.substr(0, name.find('{'));
    if (name.front() == '_') {
      name = prefix + name;
    } else {
      // `kommander_partition_x` lends `kommander_partition`, `kommander_x_y` lends `kommander`.
      const bool has_own =
          name.rfind("kommander_partition_", 0) == 0 || name.rfind("kommander_peer_", 0) == 0;
      prefix = has_own ? name.substr(0, name.find('_', 10)) : "kommander";
    }
    names.insert(name);
    at = cell.find('`', end + 1);
  }
}

struct Records {
  std::mutex mutex;
  std::multiset<std::string> events;
  void Add(const LogRecord& record) {
    const std::lock_guard lock(mutex);
    events.insert(std::string(record.event));
  }
  [[nodiscard]] std::size_t Count(const std::string& event) {
    const std::lock_guard lock(mutex);
    return events.count(event);
  }
};

struct Cluster {
  explicit Cluster(TestCluster::Tuning tuning = {})
      : cluster(world.executor(), 3, std::move(tuning)) {
    cluster.CreateAll();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      cluster.raft(id).UseLogSink([this](const LogRecord& record) { records.Add(record); });
    }
  }
  ~Cluster() {
    cluster.StopAll();
    world.Finish();
  }
  World world{World::Kind::kFourThreads};
  Records records;
  TestCluster cluster;
};

TEST_CASE("the text for Prometheus says who leads, how far all are, and how writes ended") {
  Cluster three;
  auto& cluster = three.cluster;
  cluster.JoinAll();
  const std::uint32_t leader = cluster.WaitForLeader(1);
  constexpr int kWrites = 20;
  for (int i = 1; i <= kWrites; ++i) cluster.Write(1, std::to_string(i));
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.journal(id).WaitForText(1, "20");
  // A time that moves between two lines of one text would make this flaky: it is asked until all
  // is at rest.
  REQUIRE(Eventually([&] {
    double leads = 0;
    for (std::uint32_t id = 1; id <= 3; ++id) {
      leads += SamplesOf(PrometheusText(cluster.raft(id)))
                   .at("kommander_partition_leads{partition=\"1\"}");
    }
    return leads == 1;
  }));
  double committed = 0;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    const auto samples = SamplesOf(PrometheusText(cluster.raft(id)));
    committed +=
        samples.at("kommander_partition_writes_total{partition=\"1\",outcome=\"committed\"}");
    CHECK(samples.at("kommander_partition_applied_index{partition=\"1\"}") ==
          static_cast<double>(cluster.raft(id).Status(1).applied.value()));
    CHECK(samples.at("kommander_initialized") == 1);
    CHECK(samples.at("kommander_transport_messages_sent_total") > 0);
    CHECK(samples.at("kommander_durable_seconds_count") > 0);
    CHECK(samples.at("kommander_apply_seconds_count") >= kWrites);
    CHECK(samples.at("kommander_apply_seconds_bucket{le=\"+Inf\"}") ==
          samples.at("kommander_apply_seconds_count"));
  }
  CHECK(committed >= kWrites);
  const auto samples = SamplesOf(PrometheusText(cluster.raft(leader)));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    const std::string peer =
        "kommander_peer_matched_index{partition=\"1\",peer=\"" + std::to_string(id) + "\"}";
    CHECK(samples.count(peer) == (id == leader || !cluster.raft(leader).AmILeaderQuick(1) ? 0 : 1));
  }
}

TEST_CASE("every metric is on the page, and the page has no other") {
  Cluster three;
  three.cluster.JoinAll();
  three.cluster.WaitForLeader(1);
  std::set<std::string> names;
  for (const auto& family : MakePrometheusCollectable(three.cluster.raft(1))->Collect()) {
    CHECK_FALSE(family.help.empty());
    CHECK(names.insert(family.name).second);
  }
  std::set<std::string> written;
  std::istringstream page(PageText(OPERATIONS_PAGE));
  for (std::string line; std::getline(page, line);) {
    if (line.rfind("| `kommander_", 0) == 0) AddNames(line, written);
  }
  CHECK(names == written);
}

TEST_CASE(
    "the text for Prometheus says how each peer of a led partition is fed, and how far behind") {
  Cluster three;
  auto& cluster = three.cluster;
  cluster.JoinAll();
  cluster.MakeLeader(1, 2);
  cluster.Write(1, "x");
  const auto sample_of = [&](std::uint32_t node, const std::string& name) {
    const auto samples = SamplesOf(PrometheusText(cluster.raft(node)));
    const auto found = samples.find("kommander_peer_" + name);
    return found == samples.end() ? -1 : found->second;
  };
  const std::string third = "partition=\"1\",peer=\"3\"";
  REQUIRE(Eventually([&] {
    return sample_of(2, "state{" + third + ",state=\"replicate\"}") == 1 &&
           sample_of(2, "state{" + third + ",state=\"probe\"}") == 0 &&
           sample_of(2, "state{" + third + ",state=\"snapshot\"}") == 0 &&
           sample_of(2, "lag_entries{" + third + "}") == 0;
  }));
  CHECK(sample_of(2, "snapshot_failures{" + third + "}") == 0);
  // Who does not lead says nothing of peers.
  REQUIRE(Eventually([&] { return sample_of(1, "lag_entries{" + third + "}") == -1; }));
  CHECK(sample_of(1, "state{" + third + ",state=\"replicate\"}") == -1);
  cluster.Isolate(3);
  for (int i = 0; i < 10; ++i) cluster.Write(1, std::to_string(i));
  REQUIRE(Eventually([&] { return sample_of(2, "lag_entries{" + third + "}") >= 10; }));
}

TEST_CASE("peers of a leader are seen, and of nobody else") {
  Cluster three;
  auto& cluster = three.cluster;
  cluster.JoinAll();
  cluster.MakeLeader(1, 2);
  cluster.Write(1, "x");
  REQUIRE(Eventually([&] {
    const std::vector<PeerStatus> peers = cluster.raft(2).GetPeers(1);
    return peers.size() == 2 && peers[0].node == NodeId(1) && peers[1].node == NodeId(3) &&
           std::all_of(peers.begin(), peers.end(), [&](const PeerStatus& peer) {
             return peer.state == PeerStatus::State::kReplicating && !peer.silent &&
                    peer.matched == cluster.raft(2).Status(1).last && peer.inflight_bytes == 0;
           });
  }));
  REQUIRE(Eventually([&] { return cluster.raft(1).GetPeers(1).empty(); }));
  CHECK(cluster.raft(1).GetPeers(99).empty());
  // One that is gone is seen to be silent.
  cluster.Isolate(3);
  REQUIRE(Eventually([&] {
    const std::vector<PeerStatus> peers = cluster.raft(2).GetPeers(1);
    return peers.size() == 2 && !peers[0].silent && peers[1].silent;
  }));
}

TEST_CASE("elections and handlers that fail or take long are told") {
  Cluster three([](RaftConfiguration& configuration) {
    configuration.SlowHandler(std::chrono::nanoseconds(1)).LogInterval(Duration::zero());
  });
  auto& cluster = three.cluster;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.raft(id).OnReplicationReceived([](const RaftLog&) { return false; });
  }
  cluster.JoinAll();
  cluster.Write(1, "x");
  REQUIRE(Eventually([&] { return three.records.Count("handler_failed") >= 3; }));
  CHECK(three.records.Count("slow_handler") >= 3);
  // Of the system partition and of partition 1.
  CHECK(three.records.Count("became_leader") >= 2);
  CHECK(three.records.Count("campaign") >= 2);
  CHECK(three.records.Count("leader") >= 4);
}

}  // namespace
}  // namespace kommander::test
