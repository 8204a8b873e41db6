#include "rest/answers.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "rest/base64.hpp"
#ifdef KOMMANDER_REST_METRICS
#include <kommander/prometheus_metrics.hpp>
#endif

namespace kommander::rest {

namespace json = boost::json;

namespace {

constexpr std::size_t kReasonsMax = 16;

RestAnswer JsonAnswer(unsigned status, const json::object& body) {
  return {status, "application/json", json::serialize(body)};
}

// 64 bits that are no count: readers in other languages have numbers of 53.
std::string Hex(std::uint64_t value) {
  std::array<char, 16> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  const auto count = static_cast<std::size_t>(end - digits.data());
  return std::string(digits.size() - count, '0').append(digits.data(), count);
}

json::value OrNull(NodeId node) { return node ? json::value(node.value()) : json::value(nullptr); }

json::object Problem(std::string_view name, std::string_view message) {
  return {{"name", name}, {"message", message}};
}

const PartitionRecord* RecordOf(const PartitionMap& map, PartitionId partition) noexcept {
  const auto& records = map.records();
  const auto found = std::lower_bound(
      records.begin(), records.end(), partition,
      [](const PartitionRecord& record, PartitionId wanted) { return record.id < wanted; });
  return found != records.end() && found->id == partition ? &*found : nullptr;
}

// What the list of partitions tells of each, and the page of one begins with.
json::object Summary(const PartitionStatus& status) {
  return {{"partition", status.partition.value()},
          {"role", ToString(status.role)},
          {"ready", status.ready},
          {"failed", status.failed},
          {"leader", OrNull(status.leader)},
          {"term", status.term.value()},
          {"last", status.last.value()},
          {"committed", status.committed.value()},
          {"applied", status.applied.value()}};
}

json::object PeerObject(const PeerStatus& peer) {
  json::value snapshot(nullptr);
  if (peer.snapshot) {
    snapshot = {{"index", peer.snapshot.value()},
                {"bytes", peer.snapshot_bytes},
                {"bytesReceived", peer.snapshot_bytes_received}};
  }
  return {{"node", peer.node.value()},
          {"state", ToString(peer.state)},
          {"silent", peer.silent},
          {"backfill", peer.backfill},
          {"matched", peer.matched.value()},
          {"next", peer.next.value()},
          {"inflightMessages", peer.inflight_messages},
          {"inflightBytes", peer.inflight_bytes},
          {"snapshotFailures", peer.snapshot_failures},
          {"snapshot", std::move(snapshot)}};
}

// The system partition has no place in the map.
json::value PlaceOf(const RaftManager& raft, PartitionId partition) {
  const PartitionMap map = raft.GetPartitionMap();
  const PartitionRecord* const record = RecordOf(map, partition);
  if (record == nullptr) return nullptr;
  json::array voters;
  for (const NodeId voter : record->voters) voters.emplace_back(voter.value());
  return {{"generation", record->generation.value()},
          {"hashFirst", record->hash_first},
          {"hashLast", record->hash_last},
          {"voters", std::move(voters)}};
}

}  // namespace

RestAnswer ErrorAnswer(unsigned status, std::string_view name, std::string_view message) {
  return JsonAnswer(status, {{"error", Problem(name, message)}});
}
RestAnswer ErrorAnswer(unsigned status, RaftErrc errc, std::string_view message) {
  return ErrorAnswer(status, ToString(errc), message);
}

RestAnswer ClusterAnswer(const RaftManager& raft) {
  std::uint64_t led = 0;
  std::uint64_t leaderless = 0;
  std::uint64_t failed = 0;
  std::unordered_map<NodeId, std::uint64_t> leads;
  const std::vector<PartitionId> hosted = raft.Partitions();
  for (const PartitionId partition : hosted) {
    const PartitionStatus status = raft.Status(partition);
    ++leads[status.leader];
    leaderless += status.leader ? 0 : 1;
    led += status.role == Role::kLeader && status.ready ? 1 : 0;
    failed += status.failed ? 1 : 0;
  }
  json::array members;
  const Membership membership = raft.GetMembership();
  for (const ClusterMember& member : membership.members()) {
    json::value incarnation(nullptr);
    if (member.incarnation) incarnation = json::value(Hex(member.incarnation.value()));
    members.push_back({{"node", member.node.value()},
                       {"incarnation", std::move(incarnation)},
                       {"leads", leads[member.node]}});
  }
  json::array settings;
  const ClusterSettings known = raft.GetClusterSettings();
  for (const ClusterSetting& setting : known.settings()) {
    settings.push_back({{"name", setting.name},
                        {"version", setting.version.value()},
                        {"value", Base64(setting.value.bytes())}});
  }
  return JsonAnswer(
      200,
      {{"node", raft.id().value()},
       {"clusterId", raft.cluster_id()},
       {"initialized", raft.IsInitialized()},
       {"members", std::move(members)},
       {"partitions",
        {{"hosted", hosted.size()}, {"led", led}, {"leaderless", leaderless}, {"failed", failed}}},
       {"settings", std::move(settings)}});
}

RestAnswer PartitionsAnswer(const RaftManager& raft, std::optional<std::uint32_t> after,
                            std::size_t limit) {
  const std::vector<PartitionId> hosted = raft.Partitions();
  auto next = hosted.begin();
  if (after) next = std::upper_bound(hosted.begin(), hosted.end(), PartitionId(*after));
  json::array partitions;
  for (; next != hosted.end() && partitions.size() < limit; ++next) {
    partitions.push_back(Summary(raft.Status(*next)));
  }
  json::value last(nullptr);
  if (next != hosted.end()) last = partitions.back().at("partition");
  return JsonAnswer(200, {{"partitions", std::move(partitions)}, {"next", std::move(last)}});
}

RestAnswer PartitionAnswer(const RaftManager& raft, PartitionId partition) {
  const std::vector<PartitionId> hosted = raft.Partitions();
  if (!std::binary_search(hosted.begin(), hosted.end(), partition)) {
    if (!raft.IsInitialized()) {
      return ErrorAnswer(503, RaftErrc::NodeIsNotReady,
                         "the node does not know its partitions yet");
    }
    return ErrorAnswer(404, RaftErrc::PartitionNotFound, "this node does not host the partition");
  }
  const PartitionStatus status = raft.Status(partition);
  const PartitionStatistics statistics = raft.GetPartitionStatistics(partition);
  json::array peers;
  for (const PeerStatus& peer : raft.GetPeers(partition)) peers.push_back(PeerObject(peer));
  json::object body = Summary(status);
  body["first"] = status.first.value();
  body["durable"] = status.durable.value();
  body["checkpoint"] = status.checkpoint.value();
  body["floor"] = status.floor.value();
  body["digest"] = Hex(status.digest);
  body["map"] = PlaceOf(raft, partition);
  body["queues"] = {{"callersWaiting", statistics.callers_waiting},
                    {"uncommittedBytes", statistics.uncommitted_bytes},
                    {"openTickets", statistics.open_tickets},
                    {"openSessions", statistics.open_sessions}};
  body["peers"] = std::move(peers);
  return JsonAnswer(200, body);
}

RestAnswer HealthAnswer(const RaftManager& raft, bool is_readiness) {
  json::array reasons;
  std::uint64_t count = 0;
  const auto add = [&](std::string_view name, std::string_view message, json::value partition) {
    if (++count > kReasonsMax) return;
    json::object reason = Problem(name, message);
    reason["partition"] = std::move(partition);
    reasons.push_back(std::move(reason));
  };
  if (is_readiness && !raft.IsInitialized()) {
    const std::string detail = raft.JoinDetail();
    add("NodeIsNotReady", detail.empty() ? "the node has not joined yet" : detail, nullptr);
  }
  bool is_alive = true;
  for (const PartitionId partition : raft.Partitions()) {
    const PartitionStatus status = raft.Status(partition);
    if (status.failed) {
      is_alive = false;
      add("PartitionFailed", "it takes no part here until a restart", partition.value());
    } else if (is_readiness && !status.leader) {
      add("NoLeader", "no leader is known here", partition.value());
    }
  }
  const std::string_view word = count == 0 ? "ok" : is_alive ? "unready" : "failed";
  return JsonAnswer(count == 0 ? 200 : 503,
                    {{"status", word}, {"reasonCount", count}, {"reasons", std::move(reasons)}});
}

RestAnswer MetricsAnswer([[maybe_unused]] const RaftManager& raft) {
#ifdef KOMMANDER_REST_METRICS
  return {200, "text/plain; version=0.0.4", PrometheusText(raft)};
#else
  return ErrorAnswer(404, "NotFound", "the library was built without metrics");
#endif
}

}  // namespace kommander::rest
