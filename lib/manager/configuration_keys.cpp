// The keys: what each is called, what it means, and what reads it.
#include "manager/configuration_keys.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/roster.hpp"

namespace kommander {
namespace {

using Json = nlohmann::json;
using Kind = ConfigurationKey::Kind;
using C = RaftConfiguration;

template <auto kSet>
bool SetSize(const Json& value, const ConfigurationPlace& place, RaftConfiguration& configuration) {
  std::uint64_t number = 0;
  if (!ReadNumber(value, place, std::numeric_limits<std::size_t>::max(), number)) return false;
  (configuration.*kSet)(static_cast<std::size_t>(number));
  return true;
}

template <auto kSet>
bool SetMilliseconds(const Json& value, const ConfigurationPlace& place,
                     RaftConfiguration& configuration) {
  constexpr auto kMost = std::chrono::floor<std::chrono::milliseconds>(Duration::max()).count();
  std::uint64_t number = 0;
  if (!ReadNumber(value, place, kMost, number, " of milliseconds")) return false;
  (configuration.*kSet)(std::chrono::milliseconds(number));
  return true;
}

bool ReadNumber32(const Json& value, const ConfigurationPlace& place, std::uint32_t& number) {
  std::uint64_t wide = 0;
  if (!ReadNumber(value, place, std::numeric_limits<std::uint32_t>::max(), wide)) return false;
  number = static_cast<std::uint32_t>(wide);
  return true;
}

bool ReadNodeId(const Json& value, const ConfigurationPlace& place, NodeId& id) {
  std::uint32_t number = 0;
  if (!ReadNumber32(value, place, number)) return false;
  id = NodeId(number);
  return true;
}

bool ReadEndpoint(const Json& value, const ConfigurationPlace& place, Endpoint& endpoint) {
  std::optional<Endpoint> read;
  if (value.is_string()) read = Endpoint::Parse(value.get_ref<const std::string&>());
  if (!read) return place.Refuse(value, "HOST:PORT or [IPV6]:PORT");
  endpoint = *std::move(read);
  return true;
}

bool SetId(const Json& value, const ConfigurationPlace& place, RaftConfiguration& configuration) {
  NodeId id;
  if (!ReadNodeId(value, place, id)) return false;
  configuration.Id(id);
  return true;
}

bool SetClusterId(const Json& value, const ConfigurationPlace& place,
                  RaftConfiguration& configuration) {
  if (!value.is_string()) return place.Refuse(value, "text");
  configuration.ClusterId(value.get<std::string>());
  return true;
}

bool SetListen(const Json& value, const ConfigurationPlace& place,
               RaftConfiguration& configuration) {
  Endpoint endpoint;
  if (!ReadEndpoint(value, place, endpoint)) return false;
  configuration.Listen(std::move(endpoint));
  return true;
}

bool SetPartitions(const Json& value, const ConfigurationPlace& place,
                   RaftConfiguration& configuration) {
  std::uint32_t number = 0;
  if (!ReadNumber32(value, place, number)) return false;
  configuration.InitialPartitions(number);
  return true;
}

bool SetMemberId(const Json& value, const ConfigurationPlace& place, NodeAddress& member) {
  return ReadNodeId(value, place, member.id);
}

bool SetMemberEndpoint(const Json& value, const ConfigurationPlace& place, NodeAddress& member) {
  return ReadEndpoint(value, place, member.endpoint);
}

struct MemberRow : KeyText {
  bool (*set)(const Json& value, const ConfigurationPlace& place, NodeAddress& member);
};
constexpr std::array kMemberRows = {
    MemberRow{{"id", "initial_members[].id", Kind::kNumber, "", "", "1..4294967295",
               "required; no two alike"},
              &SetMemberId},
    MemberRow{{"endpoint", "initial_members[].endpoint", Kind::kText, "HOST:PORT", "",
               "port 1 to 65535", "required; no two alike"},
              &SetMemberEndpoint},
};

bool SetMember(const Json& value, const ConfigurationPlace& place, NodeAddress& member) {
  if (!value.is_object()) return place.Refuse(value, "an object with id and endpoint");
  const std::size_t problems_before = place.problems->size();
  for (const auto& [name, member_value] : value.items()) {
    const auto row = std::ranges::find(kMemberRows, std::string_view(name), &MemberRow::name);
    if (row == kMemberRows.end()) {
      place.At(name).Refuse("is no key of a configuration");
    } else {
      (void)row->set(member_value, place.At(name), member);
    }
  }
  for (const MemberRow& row : kMemberRows) {
    if (!value.contains(row.name)) place.At(row.name).Refuse("is missing");
  }
  return place.problems->size() == problems_before;
}

bool SetMembers(const Json& value, const ConfigurationPlace& place,
                RaftConfiguration& configuration) {
  if (!value.is_array()) return place.Refuse(value, "a list of objects with id and endpoint");
  // Each of a hundred thousand would have a problem of its own.
  if (value.size() > cluster::Roster::kMembersMax) {
    return place.Refuse("has " + std::to_string(value.size()) + " members, must be at most " +
                        std::to_string(cluster::Roster::kMembersMax));
  }
  std::vector<NodeAddress> members(value.size());
  bool is_well = true;
  for (std::size_t i = 0; i < members.size(); ++i) {
    is_well &= SetMember(value[i], place.At(std::to_string(i)), members[i]);
  }
  if (is_well) configuration.InitialMembers(std::move(members));
  return is_well;
}

constexpr std::array kRows = {
    ConfigurationRow{{"id", "id", Kind::kNumber, "", "", "1..4294967295",
                      "this node, unique in the cluster and for ever"},
                     &SetId},
    ConfigurationRow{{"cluster_id", "cluster_id", Kind::kText, "text", "kommander",
                      "1 to 128 bytes", "nodes of other clusters are refused"},
                     &SetClusterId},
    ConfigurationRow{{"listen", "listen", Kind::kText, "HOST:PORT", "127.0.0.1:0", "",
                      "where the transport listens; port 0 takes a free one"},
                     &SetListen},
    ConfigurationRow{
        {"initial_members", "initial_members", Kind::kMembers, "list", "empty", "at most 256",
         "the nodes of a new cluster, the same list on each; needed at the first"
         " start only"},
        &SetMembers},
    ConfigurationRow{{"initial_partitions", "initial_partitions", Kind::kNumber, "", "1",
                      "1..65535", "user partitions that the first leader creates"},
                     &SetPartitions},
    ConfigurationRow{
        {"election_timeout_ms", "election_timeout", Kind::kNumber, "ms", "1000", "10..300000",
         "T: a follower that hears no leader for a time drawn from [T, 2T) "
         "campaigns"},
        &SetMilliseconds<&C::ElectionTimeout>},
    ConfigurationRow{{"heartbeat_interval_ms", "heartbeat_interval", Kind::kNumber, "ms", "0",
                      "below half of T", "between a leader's signs of life; 0: T/6"},
                     &SetMilliseconds<&C::HeartbeatInterval>},
    ConfigurationRow{{"stall_ms_max", "stall_max", Kind::kNumber, "ms", "0", "0..3600000",
                      "a write that takes longer keeps the node from voting and campaigning; "
                      "0: 2T"},
                     &SetMilliseconds<&C::StallMax>},
    ConfigurationRow{{"proposal_timeout_ms", "proposal_timeout", Kind::kNumber, "ms", "10000",
                      "1..3600000", "how long a write waits when it names no time"},
                     &SetMilliseconds<&C::ProposalTimeout>},
    ConfigurationRow{{"read_timeout_ms", "read_timeout", Kind::kNumber, "ms", "2000", "1..3600000",
                      "how long a read barrier waits when it names no time"},
                     &SetMilliseconds<&C::ReadTimeout>},
    ConfigurationRow{{"leader_timeout_ms", "leader_timeout", Kind::kNumber, "ms", "10000",
                      "1..3600000", "how long AmILeader and WaitForLeader wait"},
                     &SetMilliseconds<&C::LeaderTimeout>},
    ConfigurationRow{{"join_timeout_ms", "join_timeout", Kind::kNumber, "ms", "60000",
                      "0..86400000", "how long JoinCluster waits; 0: for ever"},
                     &SetMilliseconds<&C::JoinTimeout>},
    ConfigurationRow{{"snapshot_step_timeout_ms", "snapshot_step_timeout", Kind::kNumber, "ms",
                      "120000", "1000..3600000",
                      "a transfer that gets no further for so long is given up, and tried "
                      "again later"},
                     &SetMilliseconds<&C::SnapshotStepTimeout>},
    ConfigurationRow{
        {"ticket_timeout_ms", "ticket_timeout", Kind::kNumber, "ms", "60000", "0..86400000",
         "a prepared proposal that stays undecided for so long is rolled back; "
         "0: never"},
        &SetMilliseconds<&C::TicketTimeout>},
    ConfigurationRow{
        {"session_timeout_ms", "session_timeout", Kind::kNumber, "ms", "3600000", "0..2592000000",
         "a session that stays unused for so long is closed; 0: never"},
        &SetMilliseconds<&C::SessionTimeout>},
    ConfigurationRow{
        {"clock_ahead_max_ms", "clock_ahead_max", Kind::kNumber, "ms", "500", "0..3600000",
         "a message whose stamp is further ahead does not move this node's "
         "hybrid clock"},
        &SetMilliseconds<&C::ClockAheadMax>},
    ConfigurationRow{{"slow_handler_ms", "slow_handler", Kind::kNumber, "ms", "50", "0..3600000",
                      "a handler that takes so long is told to the log; 0: none"},
                     &SetMilliseconds<&C::SlowHandler>},
    ConfigurationRow{{"slow_write_ms", "slow_write", Kind::kNumber, "ms", "250", "0..3600000",
                      "so is a write that takes so long from the queue to the disk"},
                     &SetMilliseconds<&C::SlowWrite>},
    ConfigurationRow{{"log_interval_ms", "log_interval", Kind::kNumber, "ms", "1000", "0..3600000",
                      "one event in one partition is told once in it, with how many were left"
                      " out"},
                     &SetMilliseconds<&C::LogInterval>},
    ConfigurationRow{{"queued_proposals_max", "queued_proposals_max", Kind::kNumber, "", "4096",
                      "1..1000000", "proposals that wait for a partition's actor"},
                     &SetSize<&C::QueuedProposalsMax>},
    ConfigurationRow{{"queued_proposal_bytes_max", "queued_proposal_bytes_max", Kind::kNumber,
                      "bytes", "67108864", "at least entry_bytes_max", "the bytes of them"},
                     &SetSize<&C::QueuedProposalBytesMax>},
    ConfigurationRow{{"queued_messages_max", "queued_messages_max", Kind::kNumber, "", "4096",
                      "1..1000000", "messages of peers that wait for a partition's actor"},
                     &SetSize<&C::QueuedMessagesMax>},
    ConfigurationRow{{"queued_message_bytes_max", "queued_message_bytes_max", Kind::kNumber,
                      "bytes", "67108864", "at least entry_bytes_max", "the bytes of them"},
                     &SetSize<&C::QueuedMessageBytesMax>},
    ConfigurationRow{
        {"queued_writes_max", "queued_writes_max", Kind::kNumber, "", "1024", "1..1000000",
         "writes of a partition on their way to the disk, at which proposals are"
         " refused and entries of a leader dropped, to be sent again"},
        &SetSize<&C::QueuedWritesMax>},
    ConfigurationRow{{"queued_write_bytes_max", "queued_write_bytes_max", Kind::kNumber, "bytes",
                      "33554432", "at least entry_bytes_max", "the bytes of them"},
                     &SetSize<&C::QueuedWriteBytesMax>},
    ConfigurationRow{{"node_queued_writes_max", "node_queued_writes_max", Kind::kNumber, "",
                      "65536", "1..1000000", "the same of all partitions together"},
                     &SetSize<&C::NodeQueuedWritesMax>},
    ConfigurationRow{{"node_queued_write_bytes_max", "node_queued_write_bytes_max", Kind::kNumber,
                      "bytes", "268435456", "at least entry_bytes_max", "the bytes of them"},
                     &SetSize<&C::NodeQueuedWriteBytesMax>},
    ConfigurationRow{
        {"entry_bytes_max", "entry_bytes_max", Kind::kNumber, "bytes", "8388608", "1024..15728640",
         "one entry, all payloads of a batch together; the partition map must "
         "fit"},
        &SetSize<&C::EntryBytesMax>},
    ConfigurationRow{
        {"inflight_bytes_max", "inflight_bytes_max", Kind::kNumber, "bytes", "8388608",
         "at least entry_bytes_max", "sent to one peer for one partition and not yet answered"},
        &SetSize<&C::InflightBytesMax>},
    ConfigurationRow{
        {"uncommitted_bytes_max", "uncommitted_bytes_max", Kind::kNumber, "bytes", "67108864",
         "at least entry_bytes_max", "appended and not yet committed, per partition"},
        &SetSize<&C::UncommittedBytesMax>},
    ConfigurationRow{{"node_bytes_max", "node_bytes_max", Kind::kNumber, "bytes", "536870912",
                      "at least entry_bytes_max",
                      "proposals of all partitions together that are queued, or appended and "
                      "not committed"},
                     &SetSize<&C::NodeBytesMax>},
    ConfigurationRow{
        {"free_bytes_min", "free_bytes_min", Kind::kNumber, "bytes", "67108864", "0..1099511627776",
         "free space of the log's volume below which writes are DiskFull, and "
         "snapshots are given up below half of it; 0: never"},
        &SetSize<&C::FreeBytesMin>},
    ConfigurationRow{{"apply_lag_max", "apply_lag_max", Kind::kNumber, "", "1000000", "",
                      "entries that a leader's handlers may be behind before it refuses "
                      "proposals; 0: any number"},
                     &SetSize<&C::ApplyLagMax>},
    ConfigurationRow{{"apply_bytes_max", "apply_bytes_max", Kind::kNumber, "bytes", "16777216",
                      "at least 1", "handed to a partition's handlers and not yet finished"},
                     &SetSize<&C::ApplyBytesMax>},
    ConfigurationRow{{"cache_bytes_max", "cache_bytes_max", Kind::kNumber, "bytes", "4194304", "",
                      "synced entries kept in memory for peers, per partition"},
                     &SetSize<&C::CacheBytesMax>},
    ConfigurationRow{{"retained_entries", "retained_entries", Kind::kNumber, "", "8192", "",
                      "entries that stay although the application has them, for peers that "
                      "lag"},
                     &SetSize<&C::RetainedEntries>},
    ConfigurationRow{{"snapshot_entries", "snapshot_entries", Kind::kNumber, "", "100000", "",
                      "applied since the last snapshot until the next one is taken; 0: only "
                      "when a follower needs one"},
                     &SetSize<&C::SnapshotEntries>},
    ConfigurationRow{{"snapshot_transfers_max", "snapshot_transfers_max", Kind::kNumber, "", "2",
                      "1..1000", "snapshots that this node sends at a time"},
                     &SetSize<&C::SnapshotTransfersMax>},
    ConfigurationRow{{"snapshot_bytes_per_second", "snapshot_bytes_per_second", Kind::kNumber,
                      "bytes", "0", "0, or 65536 and more", "of one transfer; 0: as many as go"},
                     &SetSize<&C::SnapshotBytesPerSecond>},
    ConfigurationRow{{"compaction_step", "compaction_step", Kind::kNumber, "", "1024", "1..1000000",
                      "a log is cut at a multiple of so many entries"},
                     &SetSize<&C::CompactionStep>},
    ConfigurationRow{{"compaction_entries_max", "compaction_entries_max", Kind::kNumber, "",
                      "65536", "1..1000000000", "removed in one go, unless a single step has more"},
                     &SetSize<&C::CompactionEntriesMax>},
};

ConfigurationKey MakeKey(const KeyText& text, std::string name) {
  return ConfigurationKey(std::move(name), text.kind)
      .Unit(std::string(text.unit))
      .Default(std::string(text.default_text))
      .Range(std::string(text.range))
      .What(std::string(text.what));
}

}  // namespace

std::span<const ConfigurationRow> ConfigurationRows() { return kRows; }

std::vector<ConfigurationKey> ConfigurationKeys() {
  std::vector<ConfigurationKey> keys;
  for (const ConfigurationRow& row : kRows) keys.push_back(MakeKey(row, std::string(row.name)));
  for (const MemberRow& row : kMemberRows) keys.push_back(MakeKey(row, std::string(row.field)));
  return keys;
}

}  // namespace kommander
