// Finds everything that is wrong with a configuration, in one go: whoever sets up a cluster should
// not have to restart once per mistake.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/raft_configuration.hpp>

#include "cluster/roster.hpp"
#include "cluster/system_command.hpp"
#include "manager/configuration_findings.hpp"

namespace kommander {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using Problems = std::vector<ConfigurationFinding>;

constexpr std::size_t kClusterIdBytesMax = 128;
constexpr std::size_t kQueueMax = 1'000'000;
constexpr std::size_t kEntryBytesMin = std::size_t{1} << 10;
constexpr std::size_t kEntryBytesMax = std::size_t{15} << 20;
constexpr std::uint64_t kFreeBytesMinMost = std::uint64_t{1} << 40;
// What the body of an entry adds around one payload of the system's type: see docs/protocol.md.
constexpr std::size_t kSystemEntryBytes = 10 + cluster::kSystemType.size();

std::string Text(std::uint64_t value) { return std::to_string(value); }
// In the largest unit that shows the value exactly.
std::string Text(Duration value) {
  const std::int64_t ns = value.count();
  if (ns % 1'000'000 == 0) return std::to_string(ns / 1'000'000) + " ms";
  if (ns % 1'000 == 0) return std::to_string(ns / 1'000) + " us";
  return std::to_string(ns) + " ns";
}

void Add(Problems& problems, std::string_view field, const std::string& value,
         const std::string& allowed, std::string_view bound_by = {}) {
  problems.push_back({std::string(field), "is " + value + ", must be " + allowed, bound_by});
}

template <class Value>
void CheckRange(Problems& problems, std::string_view field, Value value, Value least, Value most) {
  if (value >= least && value <= most) return;
  Add(problems, field, Text(value), Text(least) + " to " + Text(most));
}

// Wherever entries are counted, one must fit.
void CheckHoldsEntry(Problems& problems, std::string_view field, std::size_t value,
                     std::size_t entry) {
  if (value >= entry) return;
  Add(problems, field, Text(value),
      "at least " + Text(entry) + " (entry_bytes_max): one entry must fit", "entry_bytes_max");
}

// Nothing of another's text goes into a line but what can be read in it.
std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, 64)) quoted += c >= ' ' && c <= '~' ? c : '?';
  return quoted + (text.size() > 64 ? "...\"" : "\"");
}

void CheckIdentity(Problems& problems, const RaftConfiguration& configuration) {
  if (!configuration.id()) Add(problems, "id", "0", "1 to 4294967295");
  const std::string& cluster_id = configuration.cluster_id();
  if (cluster_id.empty() || cluster_id.size() > kClusterIdBytesMax) {
    Add(problems, "cluster_id", Quoted(cluster_id) + " of " + Text(cluster_id.size()) + " bytes",
        "1 to " + Text(kClusterIdBytesMax) + " bytes");
  }
  if (configuration.listen().host.empty()) {
    Add(problems, "listen", Quoted(configuration.listen().ToString()), "a host and a port");
  }
}

void CheckMember(Problems& problems, const RaftConfiguration& configuration, std::size_t position) {
  const auto& members = configuration.initial_members();
  const NodeAddress& member = members[position];
  const std::string field = "initial_members[" + Text(position) + "]";
  if (!member.id) Add(problems, field + ".id", "0", "1 to 4294967295");
  // Left to discovery; whether there is one, the manager knows.
  const bool is_left_open = member.endpoint == Endpoint();
  // A node that is alone may take any free port; one that others must find may not.
  const bool may_be_any = member.id == configuration.id() && members.size() == 1;
  const bool is_whole = !member.endpoint.host.empty() && (member.endpoint.port != 0 || may_be_any);
  if (!is_whole && !is_left_open) {
    Add(problems, field + ".endpoint", Quoted(member.endpoint.ToString()),
        "a host and a port of 1 to 65535");
  }
  for (std::size_t i = 0; i < position; ++i) {
    const std::string earlier = "initial_members[" + Text(i) + "]";
    if (members[i].id == member.id && member.id) {
      Add(problems, field + ".id", Text(member.id.value()), "another one than that of " + earlier);
    }
    if (members[i].endpoint == member.endpoint && !is_left_open) {
      Add(problems, field + ".endpoint", Quoted(member.endpoint.ToString()),
          "another one than that of " + earlier);
    }
  }
}

void CheckMembers(Problems& problems, const RaftConfiguration& configuration) {
  const auto& members = configuration.initial_members();
  // This node need not be one of them: one that is added later names those that the cluster began
  // with, and is refused by them until it has been added.
  constexpr std::size_t kMembersMax = cluster::Roster::kMembersMax;
  if (members.size() > kMembersMax) {
    return Add(problems, "initial_members", Text(members.size()) + " nodes",
               "at most " + Text(kMembersMax));
  }
  for (std::size_t i = 0; i < members.size(); ++i) CheckMember(problems, configuration, i);
}

void CheckTimes(Problems& problems, const RaftConfiguration& configuration) {
  const Duration election = configuration.election_timeout();
  CheckRange<Duration>(problems, "election_timeout", election, milliseconds(10), minutes(5));
  // The accessors put the default in the place of 0; what they return is what will be used.
  const Duration heartbeat = configuration.heartbeat_interval();
  if (heartbeat <= Duration::zero() || heartbeat >= election / 2) {
    Add(problems, "heartbeat_interval", Text(heartbeat),
        "0 (a sixth of election_timeout), or above 0 and below half of election_timeout, which "
        "is " +
            Text(election),
        "election_timeout");
  }
  if (configuration.stall_max() < Duration::zero() || configuration.stall_max() > hours(1)) {
    Add(problems, "stall_max", Text(configuration.stall_max()),
        "0 (twice election_timeout), or up to " + Text(hours(1)));
  }
  const auto check_wait = [&](std::string_view field, Duration value) {
    CheckRange<Duration>(problems, field, value, milliseconds(1), hours(1));
  };
  check_wait("proposal_timeout", configuration.proposal_timeout());
  check_wait("read_timeout", configuration.read_timeout());
  check_wait("leader_timeout", configuration.leader_timeout());
  // 0 is no limit.
  const auto check_limit = [&](std::string_view field, Duration value, Duration max) {
    if (value == Duration::zero()) return;
    CheckRange<Duration>(problems, field, value, milliseconds(1), max);
  };
  CheckRange<Duration>(problems, "snapshot_step_timeout", configuration.snapshot_step_timeout(),
                       std::chrono::seconds(1), hours(1));
  check_limit("ticket_timeout", configuration.ticket_timeout(), hours(24));
  check_limit("session_timeout", configuration.session_timeout(), hours(24 * 30));
  const auto check_up_to_an_hour = [&](std::string_view field, Duration value) {
    CheckRange<Duration>(problems, field, value, Duration::zero(), hours(1));
  };
  check_up_to_an_hour("clock_ahead_max", configuration.clock_ahead_max());
  check_up_to_an_hour("slow_handler", configuration.slow_handler());
  check_up_to_an_hour("slow_write", configuration.slow_write());
  check_up_to_an_hour("log_interval", configuration.log_interval());
  if (configuration.join_timeout() < Duration::zero() || configuration.join_timeout() > hours(24)) {
    Add(problems, "join_timeout", Text(configuration.join_timeout()),
        "0 (for ever), or up to " + Text(hours(24)));
  }
}

void CheckSizes(Problems& problems, const RaftConfiguration& configuration) {
  const std::size_t entry = configuration.entry_bytes_max();
  CheckRange(problems, "queued_proposals_max", configuration.queued_proposals_max(), std::size_t{1},
             kQueueMax);
  CheckRange(problems, "queued_messages_max", configuration.queued_messages_max(), std::size_t{1},
             kQueueMax);
  CheckRange(problems, "queued_writes_max", configuration.queued_writes_max(), std::size_t{1},
             kQueueMax);
  CheckRange(problems, "node_queued_writes_max", configuration.node_queued_writes_max(),
             std::size_t{1}, kQueueMax);
  CheckRange(problems, "entry_bytes_max", entry, kEntryBytesMin, kEntryBytesMax);
  const auto check_holds = [&](std::string_view field, std::size_t value) {
    CheckHoldsEntry(problems, field, value, entry);
  };
  check_holds("queued_proposal_bytes_max", configuration.queued_proposal_bytes_max());
  check_holds("queued_message_bytes_max", configuration.queued_message_bytes_max());
  check_holds("queued_write_bytes_max", configuration.queued_write_bytes_max());
  check_holds("node_queued_write_bytes_max", configuration.node_queued_write_bytes_max());
  check_holds("inflight_bytes_max", configuration.inflight_bytes_max());
  check_holds("uncommitted_bytes_max", configuration.uncommitted_bytes_max());
  check_holds("node_bytes_max", configuration.node_bytes_max());
  CheckRange(problems, "compaction_step", configuration.compaction_step(), std::uint64_t{1},
             std::uint64_t{1'000'000});
  CheckRange(problems, "snapshot_transfers_max", configuration.snapshot_transfers_max(),
             std::size_t{1}, std::size_t{1000});
  CheckRange(problems, "compaction_entries_max", configuration.compaction_entries_max(),
             std::uint64_t{1}, std::uint64_t{1'000'000'000});
  CheckRange(problems, "free_bytes_min", configuration.free_bytes_min(), std::uint64_t{0},
             kFreeBytesMinMost);
  constexpr std::uint64_t kSlowestTransfer = 64 << 10;
  const std::uint64_t rate = configuration.snapshot_bytes_per_second();
  if (rate != 0 && rate < kSlowestTransfer) {
    Add(problems, "snapshot_bytes_per_second", std::to_string(rate), "0, or at least 65536");
  }
  if (configuration.apply_bytes_max() == 0) Add(problems, "apply_bytes_max", "0", "at least 1");
}

// The map of all partitions is one entry of the system partition.
void CheckPartitions(Problems& problems, const RaftConfiguration& configuration) {
  const std::uint32_t partitions = configuration.initial_partitions();
  CheckRange(problems, "initial_partitions", partitions, std::uint32_t{1}, kPartitionIdMax);
  const std::size_t map_bytes =
      kSystemEntryBytes +
      cluster::InitialiseBytes(configuration.initial_members().size(), partitions);
  const std::size_t entry = configuration.entry_bytes_max();
  if (partitions <= kPartitionIdMax && entry >= kEntryBytesMin && map_bytes > entry) {
    Add(problems, "entry_bytes_max", Text(entry),
        "at least " + Text(map_bytes) + ", the partition map for initial_partitions " +
            Text(partitions),
        "initial_partitions");
  }
}

}  // namespace

std::vector<ConfigurationFinding> FindProblems(const RaftConfiguration& configuration) {
  Problems problems;
  CheckIdentity(problems, configuration);
  CheckMembers(problems, configuration);
  CheckPartitions(problems, configuration);
  CheckTimes(problems, configuration);
  CheckSizes(problems, configuration);
  return problems;
}

std::vector<std::string> RaftConfiguration::Validate() const {
  std::vector<std::string> lines;
  for (const ConfigurationFinding& finding : FindProblems(*this)) {
    lines.push_back(finding.field + ": " + finding.what);
  }
  return lines;
}

}  // namespace kommander
