#include <algorithm>
#include <limits>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>
#include <utility>
#include <vector>

#include <kommander/prometheus_metrics.hpp>

namespace kommander {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;
using Labels = std::vector<ClientMetric::Label>;

ClientMetric Valued(MetricType type, std::uint64_t value, Labels labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  (type == MetricType::Counter ? metric.counter.value : metric.gauge.value) =
      static_cast<double>(value);
  return metric;
}

MetricFamily& Add(Families& families, MetricType type, std::string name, std::string help) {
  MetricFamily& family = families.emplace_back();
  family.name = "kommander_" + std::move(name);
  family.help = std::move(help);
  family.type = type;
  return family;
}

void AddOne(Families& families, MetricType type, std::string name, std::string help,
            std::uint64_t value) {
  Add(families, type, std::move(name), std::move(help)).metric.push_back(Valued(type, value, {}));
}

double Seconds(Duration duration) noexcept {
  return std::chrono::duration<double>(duration).count();
}

// --- One partition ---

struct PartitionMetric {
  MetricType type;
  const char* name;
  const char* help;
  std::uint64_t (*value)(const PartitionStatus&, const PartitionStatistics&);
};

template <std::uint64_t PartitionStatistics::*Member>
std::uint64_t Of(const PartitionStatus&, const PartitionStatistics& statistics) {
  return statistics.*Member;
}
template <LogIndex PartitionStatus::*Member>
std::uint64_t At(const PartitionStatus& status, const PartitionStatistics&) {
  return (status.*Member).value();
}

using P = PartitionStatistics;
using S = PartitionStatus;
constexpr PartitionMetric kPartitionMetrics[] = {
    {MetricType::Gauge, "leads", "1: this node leads and serves",
     [](const S& status, const P&) -> std::uint64_t {
       return status.role == Role::kLeader && status.ready ? 1 : 0;
     }},
    {MetricType::Gauge, "failed", "1: its storage failed, until a restart",
     [](const S& status, const P&) -> std::uint64_t { return status.failed ? 1 : 0; }},
    {MetricType::Gauge, "leader", "Node that leads, as known here; 0: none",
     [](const S& status, const P&) -> std::uint64_t { return status.leader.value(); }},
    {MetricType::Gauge, "term", "Raft's term",
     [](const S& status, const P&) -> std::uint64_t { return status.term.value(); }},
    {MetricType::Gauge, "first_index", "First entry of this node's log", &At<&S::first>},
    {MetricType::Gauge, "last_index", "Last entry of this node's log", &At<&S::last>},
    {MetricType::Gauge, "durable_index", "Synced on this node up to here", &At<&S::durable>},
    {MetricType::Gauge, "committed_index", "Committed up to here, as known here",
     &At<&S::committed>},
    {MetricType::Gauge, "applied_index", "Handlers have returned up to here", &At<&S::applied>},
    {MetricType::Gauge, "callers_waiting", "Calls that are not answered yet",
     &Of<&P::callers_waiting>},
    {MetricType::Gauge, "uncommitted_bytes", "Appended by this leader and not committed",
     &Of<&P::uncommitted_bytes>},
    {MetricType::Gauge, "open_tickets", "Proposals that wait for a decision",
     &Of<&P::open_tickets>},
    {MetricType::Gauge, "open_sessions", "Sessions of clients", &Of<&P::open_sessions>},
    {MetricType::Counter, "reads_served_total", "Read barriers that succeeded",
     &Of<&P::reads_served>},
    {MetricType::Counter, "reads_failed_total", "Read barriers that did not",
     &Of<&P::reads_failed>},
    {MetricType::Counter, "campaigns_total", "Elections that this node stood for",
     &Of<&P::campaigns>},
    {MetricType::Counter, "leaderships_total", "Elections that this node won",
     &Of<&P::leaderships>},
    {MetricType::Counter, "leader_changes_total", "Leaders that became known here",
     &Of<&P::leader_changes>},
    {MetricType::Counter, "handlers_failed_total",
     "Calls of handlers that failed, and payloads of spans", &Of<&P::handlers_failed>},
    {MetricType::Counter, "snapshots_taken_total", "Snapshots of this node's state",
     &Of<&P::snapshots_taken>},
    {MetricType::Counter, "snapshots_failed_total", "Snapshots that could not be taken",
     &Of<&P::snapshots_failed>},
    {MetricType::Counter, "snapshots_sent_total", "Snapshots that a peer has installed",
     &Of<&P::snapshots_sent>},
    {MetricType::Counter, "snapshots_not_sent_total",
     "Transfers to a peer that failed, or could not begin", &Of<&P::snapshots_not_sent>},
    {MetricType::Counter, "snapshots_received_total", "Snapshots installed here",
     &Of<&P::snapshots_received>},
    {MetricType::Counter, "snapshots_refused_total", "Snapshots received and not wanted any more",
     &Of<&P::snapshots_refused>},
    {MetricType::Counter, "log_cuts_total", "Times that the log was shortened", &Of<&P::log_cuts>},
};

struct WriteOutcome {
  const char* name;
  std::uint64_t PartitionStatistics::*count;
};
constexpr WriteOutcome kWriteOutcomes[] = {
    {"committed", &P::writes_committed},
    {"refused", &P::writes_refused},
    {"pushed_back", &P::writes_pushed_back},
    {"unknown", &P::writes_unknown},
};

struct Partition {
  std::string name;
  PartitionStatus status;
  PartitionStatistics statistics;
};

void AddPartitions(Families& families, const std::vector<Partition>& partitions) {
  for (const PartitionMetric& metric : kPartitionMetrics) {
    MetricFamily& family =
        Add(families, metric.type, std::string("partition_") + metric.name, metric.help);
    for (const Partition& partition : partitions) {
      const std::uint64_t value = metric.value(partition.status, partition.statistics);
      family.metric.push_back(Valued(metric.type, value, {{"partition", partition.name}}));
    }
  }
  MetricFamily& writes = Add(families, MetricType::Counter, "partition_writes_total",
                             "Writes of this node's callers, by how they ended");
  for (const Partition& partition : partitions) {
    for (const WriteOutcome& outcome : kWriteOutcomes) {
      writes.metric.push_back(Valued(MetricType::Counter, partition.statistics.*outcome.count,
                                     {{"partition", partition.name}, {"outcome", outcome.name}}));
    }
  }
}

// Of all partitions together: buckets of each would be most of the text.
void AddLatency(Families& families, const std::vector<Partition>& partitions, const char* name,
                const char* help, LatencyHistogram PartitionStatistics::*latency) {
  LatencyHistogram all;
  for (const Partition& partition : partitions) {
    const LatencyHistogram& one = partition.statistics.*latency;
    for (std::size_t i = 0; i < LatencyHistogram::kClasses; ++i) all.counts[i] += one.counts[i];
    all.sum += one.sum;
  }
  ClientMetric metric;
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < LatencyHistogram::kClasses; ++i) {
    passed += all.counts[i];
    const bool is_last = i + 1 == LatencyHistogram::kClasses;
    metric.histogram.bucket.push_back({passed, is_last ? std::numeric_limits<double>::infinity()
                                                       : Seconds(LatencyHistogram::Bound(i))});
  }
  metric.histogram.sample_count = passed;
  metric.histogram.sample_sum = Seconds(all.sum);
  Add(families, MetricType::Histogram, name, help).metric.push_back(std::move(metric));
}

// --- Peers ---

struct Peer {
  Labels labels;
  PeerStatus status;
  LogIndex last;  // of this node's log
};

struct PeerMetric {
  const char* name;
  const char* help;
  std::uint64_t (*value)(const Peer&);
};
constexpr PeerMetric kPeerMetrics[] = {
    {"peer_matched_index", "The peer's log is synced and equal up to here",
     [](const Peer& peer) { return peer.status.matched.value(); }},
    {"peer_lag_entries", "Entries of this node's log that the peer has not, or not synced",
     // The two are not read at one moment.
     [](const Peer& peer) {
       return LogIndex::Distance(std::min(peer.status.matched, peer.last), peer.last);
     }},
    {"peer_inflight_bytes", "Sent to the peer and not answered",
     [](const Peer& peer) { return peer.status.inflight_bytes; }},
    {"peer_silent", "1: unheard for an election timeout",
     [](const Peer& peer) -> std::uint64_t { return peer.status.silent ? 1 : 0; }},
    {"peer_backfill", "1: what it needs next is read from the disk",
     [](const Peer& peer) -> std::uint64_t { return peer.status.backfill ? 1 : 0; }},
    {"peer_snapshot_bytes", "Size of the snapshot on its way to the peer",
     [](const Peer& peer) { return peer.status.snapshot_bytes; }},
    {"peer_snapshot_bytes_received", "Bytes of it that the peer has",
     [](const Peer& peer) { return peer.status.snapshot_bytes_received; }},
    {"peer_snapshot_failures", "Transfers to the peer that failed in a row",
     [](const Peer& peer) { return peer.status.snapshot_failures; }},
};

struct PeerState {
  const char* name;
  PeerStatus::State state;
};
constexpr PeerState kPeerStates[] = {
    {"probe", PeerStatus::State::kProbing},
    {"replicate", PeerStatus::State::kReplicating},
    {"snapshot", PeerStatus::State::kSnapshot},
};

// Only of the partitions that this node leads, so that the cluster has each once.
std::vector<Peer> PeersOf(const RaftManager& raft, const std::vector<Partition>& partitions) {
  std::vector<Peer> peers;
  for (const Partition& partition : partitions) {
    if (partition.status.role != Role::kLeader) continue;
    for (const PeerStatus& status : raft.GetPeers(partition.status.partition)) {
      Labels labels{{"partition", partition.name}, {"peer", std::to_string(status.node.value())}};
      peers.push_back({std::move(labels), status, partition.status.last});
    }
  }
  return peers;
}

void AddPeers(Families& families, const RaftManager& raft,
              const std::vector<Partition>& partitions) {
  const std::vector<Peer> peers = PeersOf(raft, partitions);
  for (const PeerMetric& metric : kPeerMetrics) {
    MetricFamily& family = Add(families, MetricType::Gauge, metric.name, metric.help);
    for (const Peer& peer : peers) {
      family.metric.push_back(Valued(MetricType::Gauge, metric.value(peer), peer.labels));
    }
  }
  MetricFamily& states = Add(families, MetricType::Gauge, "peer_state",
                             "1: this is how the leader feeds the peer now");
  for (const Peer& peer : peers) {
    for (const PeerState& state : kPeerStates) {
      Labels labels = peer.labels;
      labels.push_back({"state", state.name});
      states.metric.push_back(
          Valued(MetricType::Gauge, peer.status.state == state.state ? 1 : 0, std::move(labels)));
    }
  }
}

// --- The node ---

void AddNode(Families& families, const RaftManager& raft) {
  const auto counter = [&](std::string name, std::string help, std::uint64_t value) {
    AddOne(families, MetricType::Counter, std::move(name), std::move(help), value);
  };
  const auto gauge = [&](std::string name, std::string help, std::uint64_t value) {
    AddOne(families, MetricType::Gauge, std::move(name), std::move(help), value);
  };
  gauge("initialized", "1: the node has joined", raft.IsInitialized() ? 1 : 0);
  const NodeStatistics node = raft.GetNodeStatistics();
  counter("messages_dropped_total", "Peers' messages that met a full mailbox",
          node.messages_dropped);
  counter("appends_dropped_total", "Peers' entries that met a disk too far behind",
          node.appends_dropped);
  counter("uncounted_dropped_total", "Votes and acknowledgements of peers that do not count",
          node.uncounted_dropped);
  counter("stamps_ahead_total", "Messages whose stamp was too far ahead to be merged",
          node.stamps_ahead);
  gauge("proposal_bytes", "Held for callers: queued, handed on, or appended and not committed",
        node.proposal_bytes);
  gauge("snapshot_transfers", "Snapshots that this node is sending", node.snapshot_transfers);

  const IoStatistics io = raft.GetIoStatistics();
  counter("io_write_batches_total", "Batches of write units given to the log", io.write_batches);
  counter("io_write_units_total", "Write units in them", io.write_units);
  counter("io_reads_total", "Reads from the log", io.reads);
  counter("io_refused_total", "Reads and tasks that met a cap", io.refused);
  gauge("io_queued_write_bytes", "Waiting to be written", io.queued_write_bytes);

  const WalStatistics wal = raft.GetWalStatistics();
  counter("wal_syncs_total", "Syncs that a caller waited for", wal.syncs);
  counter("wal_bytes_written_total", "Bytes handed to the operating system", wal.bytes_written);

  const TransportStatistics net = raft.GetTransportStatistics();
  counter("transport_messages_sent_total", "Messages to peers", net.messages_sent);
  counter("transport_messages_received_total", "Messages of peers", net.messages_received);
  counter("transport_bytes_sent_total", "Bytes to peers", net.bytes_sent);
  counter("transport_bytes_received_total", "Bytes of peers", net.bytes_received);
  struct Reason {
    const char* name;
    std::uint64_t count;
  };
  const auto by_reason = [&](std::string name, std::string help,
                             std::initializer_list<Reason> reasons) {
    MetricFamily& family = Add(families, MetricType::Counter, std::move(name), std::move(help));
    for (const Reason& reason : reasons) {
      family.metric.push_back(Valued(MetricType::Counter, reason.count, {{"reason", reason.name}}));
    }
  };
  by_reason("transport_dropped_total", "Messages to peers that were not sent",
            {{"queue_full", net.dropped_queue_full},
             {"unreachable", net.dropped_unreachable},
             {"superseded", net.dropped_superseded}});
  by_reason("transport_rejected_total", "Frames and hellos that ended their connection",
            {{"truncated", net.rejected_truncated},
             {"oversize", net.rejected_oversize},
             {"corrupt", net.rejected_corrupt},
             {"out_of_order", net.rejected_out_of_order},
             {"foreign", net.rejected_foreign},
             {"handshake", net.rejected_handshake}});
}

Families CollectAll(const RaftManager& raft) {
  std::vector<Partition> partitions;
  for (const PartitionId id : raft.Partitions()) {
    partitions.push_back(
        {std::to_string(id.value()), raft.Status(id), raft.GetPartitionStatistics(id)});
  }
  Families families;
  AddNode(families, raft);
  AddPartitions(families, partitions);
  AddPeers(families, raft, partitions);
  AddLatency(families, partitions, "commit_seconds", "From a write's admission to its success",
             &P::commit_latency);
  AddLatency(families, partitions, "durable_seconds", "From a write unit's queueing to its sync",
             &P::durable_latency);
  AddLatency(families, partitions, "apply_seconds", "One call of a handler or of Apply",
             &P::apply_latency);
  return families;
}

class Collector final : public prometheus::Collectable {
 public:
  explicit Collector(const RaftManager& raft) noexcept : raft_(raft) {}
  [[nodiscard]] Families Collect() const override { return CollectAll(raft_); }

 private:
  const RaftManager& raft_;
};

}  // namespace

std::string PrometheusText(const RaftManager& raft) {
  return prometheus::TextSerializer().Serialize(CollectAll(raft));
}

std::shared_ptr<prometheus::Collectable> MakePrometheusCollectable(const RaftManager& raft) {
  return std::make_shared<Collector>(raft);
}

}  // namespace kommander
