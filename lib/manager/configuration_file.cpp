#include <algorithm>
#include <array>
#include <limits>
#include <span>

#include <kommander/configuration_file.hpp>

#include "cluster/roster.hpp"
#include "manager/configuration_findings.hpp"
#include "manager/configuration_text.hpp"

namespace kommander {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kShownBytesMax = 64;

// What stands there, short enough for a line.
std::string Shown(const Json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  const std::string text = value.dump(-1, ' ', true);  // all of it printable
  if (text.size() <= kShownBytesMax) return text;
  return text.substr(0, kShownBytesMax) + (value.is_string() ? "...\"" : "...");
}

// A place in the text, where a problem may be found.
struct Place {
  std::string pointer;
  Problems* problems;

  [[nodiscard]] Place At(std::string_view key) const { return {PointerTo(pointer, key), problems}; }
  bool Refuse(std::string what) const {
    problems->emplace_back(pointer, std::move(what));
    return false;
  }
  bool Refuse(const Json& value, std::string_view expected) const {
    return Refuse("is " + Shown(value) + ", must be " + std::string(expected));
  }
};

bool ReadNumber(const Json& value, const Place& place, std::uint64_t most, std::uint64_t& number,
                std::string_view unit = "") {
  if (!value.is_number_integer()) {
    return place.Refuse(value, "a whole number" + std::string(unit));
  }
  if (!value.is_number_unsigned()) return place.Refuse(value, "0 or more");
  number = value.get<std::uint64_t>();
  return number <= most || place.Refuse(value, "at most " + std::to_string(most));
}

template <auto kSet>
bool SetSize(const Json& value, const Place& place, RaftConfiguration& configuration) {
  std::uint64_t number = 0;
  if (!ReadNumber(value, place, std::numeric_limits<std::size_t>::max(), number)) return false;
  (configuration.*kSet)(static_cast<std::size_t>(number));
  return true;
}

template <auto kSet>
bool SetMilliseconds(const Json& value, const Place& place, RaftConfiguration& configuration) {
  constexpr auto kMost = std::chrono::floor<std::chrono::milliseconds>(Duration::max()).count();
  std::uint64_t number = 0;
  if (!ReadNumber(value, place, kMost, number, " of milliseconds")) return false;
  (configuration.*kSet)(std::chrono::milliseconds(number));
  return true;
}

bool ReadNumber32(const Json& value, const Place& place, std::uint32_t& number) {
  std::uint64_t wide = 0;
  if (!ReadNumber(value, place, std::numeric_limits<std::uint32_t>::max(), wide)) return false;
  number = static_cast<std::uint32_t>(wide);
  return true;
}

bool ReadNodeId(const Json& value, const Place& place, NodeId& id) {
  std::uint32_t number = 0;
  if (!ReadNumber32(value, place, number)) return false;
  id = NodeId(number);
  return true;
}

bool ReadEndpoint(const Json& value, const Place& place, Endpoint& endpoint) {
  std::optional<Endpoint> read;
  if (value.is_string()) read = Endpoint::Parse(value.get_ref<const std::string&>());
  if (!read) return place.Refuse(value, "HOST:PORT or [IPV6]:PORT");
  endpoint = *std::move(read);
  return true;
}

bool SetId(const Json& value, const Place& place, RaftConfiguration& configuration) {
  NodeId id;
  if (!ReadNodeId(value, place, id)) return false;
  configuration.Id(id);
  return true;
}

bool SetClusterId(const Json& value, const Place& place, RaftConfiguration& configuration) {
  if (!value.is_string()) return place.Refuse(value, "text");
  configuration.ClusterId(value.get<std::string>());
  return true;
}

bool SetListen(const Json& value, const Place& place, RaftConfiguration& configuration) {
  Endpoint endpoint;
  if (!ReadEndpoint(value, place, endpoint)) return false;
  configuration.Listen(std::move(endpoint));
  return true;
}

bool SetPartitions(const Json& value, const Place& place, RaftConfiguration& configuration) {
  std::uint32_t number = 0;
  if (!ReadNumber32(value, place, number)) return false;
  configuration.InitialPartitions(number);
  return true;
}

bool SetMemberId(const Json& value, const Place& place, NodeAddress& member) {
  return ReadNodeId(value, place, member.id);
}

bool SetMemberEndpoint(const Json& value, const Place& place, NodeAddress& member) {
  return ReadEndpoint(value, place, member.endpoint);
}

bool SetMembers(const Json& value, const Place& place, RaftConfiguration& configuration);

// A key, the field as RaftConfiguration::Validate() calls it, and what reads the one into the
// other.
template <class Object>
struct Key {
  std::string_view name;
  std::string_view field;
  bool (*set)(const Json& value, const Place& place, Object& object);
};

using C = RaftConfiguration;
constexpr std::array kKeys = {
    Key<C>{"id", "id", &SetId},
    Key<C>{"cluster_id", "cluster_id", &SetClusterId},
    Key<C>{"listen", "listen", &SetListen},
    Key<C>{"initial_members", "initial_members", &SetMembers},
    Key<C>{"initial_partitions", "initial_partitions", &SetPartitions},
    Key<C>{"election_timeout_ms", "election_timeout", &SetMilliseconds<&C::ElectionTimeout>},
    Key<C>{"heartbeat_interval_ms", "heartbeat_interval", &SetMilliseconds<&C::HeartbeatInterval>},
    Key<C>{"stall_ms_max", "stall_max", &SetMilliseconds<&C::StallMax>},
    Key<C>{"proposal_timeout_ms", "proposal_timeout", &SetMilliseconds<&C::ProposalTimeout>},
    Key<C>{"read_timeout_ms", "read_timeout", &SetMilliseconds<&C::ReadTimeout>},
    Key<C>{"leader_timeout_ms", "leader_timeout", &SetMilliseconds<&C::LeaderTimeout>},
    Key<C>{"join_timeout_ms", "join_timeout", &SetMilliseconds<&C::JoinTimeout>},
    Key<C>{"snapshot_step_timeout_ms", "snapshot_step_timeout",
           &SetMilliseconds<&C::SnapshotStepTimeout>},
    Key<C>{"ticket_timeout_ms", "ticket_timeout", &SetMilliseconds<&C::TicketTimeout>},
    Key<C>{"session_timeout_ms", "session_timeout", &SetMilliseconds<&C::SessionTimeout>},
    Key<C>{"clock_ahead_max_ms", "clock_ahead_max", &SetMilliseconds<&C::ClockAheadMax>},
    Key<C>{"slow_handler_ms", "slow_handler", &SetMilliseconds<&C::SlowHandler>},
    Key<C>{"slow_write_ms", "slow_write", &SetMilliseconds<&C::SlowWrite>},
    Key<C>{"log_interval_ms", "log_interval", &SetMilliseconds<&C::LogInterval>},
    Key<C>{"queued_proposals_max", "queued_proposals_max", &SetSize<&C::QueuedProposalsMax>},
    Key<C>{"queued_proposal_bytes_max", "queued_proposal_bytes_max",
           &SetSize<&C::QueuedProposalBytesMax>},
    Key<C>{"queued_messages_max", "queued_messages_max", &SetSize<&C::QueuedMessagesMax>},
    Key<C>{"queued_message_bytes_max", "queued_message_bytes_max",
           &SetSize<&C::QueuedMessageBytesMax>},
    Key<C>{"queued_writes_max", "queued_writes_max", &SetSize<&C::QueuedWritesMax>},
    Key<C>{"queued_write_bytes_max", "queued_write_bytes_max", &SetSize<&C::QueuedWriteBytesMax>},
    Key<C>{"node_queued_writes_max", "node_queued_writes_max", &SetSize<&C::NodeQueuedWritesMax>},
    Key<C>{"node_queued_write_bytes_max", "node_queued_write_bytes_max",
           &SetSize<&C::NodeQueuedWriteBytesMax>},
    Key<C>{"entry_bytes_max", "entry_bytes_max", &SetSize<&C::EntryBytesMax>},
    Key<C>{"inflight_bytes_max", "inflight_bytes_max", &SetSize<&C::InflightBytesMax>},
    Key<C>{"uncommitted_bytes_max", "uncommitted_bytes_max", &SetSize<&C::UncommittedBytesMax>},
    Key<C>{"node_bytes_max", "node_bytes_max", &SetSize<&C::NodeBytesMax>},
    Key<C>{"free_bytes_min", "free_bytes_min", &SetSize<&C::FreeBytesMin>},
    Key<C>{"apply_lag_max", "apply_lag_max", &SetSize<&C::ApplyLagMax>},
    Key<C>{"apply_bytes_max", "apply_bytes_max", &SetSize<&C::ApplyBytesMax>},
    Key<C>{"cache_bytes_max", "cache_bytes_max", &SetSize<&C::CacheBytesMax>},
    Key<C>{"retained_entries", "retained_entries", &SetSize<&C::RetainedEntries>},
    Key<C>{"snapshot_entries", "snapshot_entries", &SetSize<&C::SnapshotEntries>},
    Key<C>{"snapshot_transfers_max", "snapshot_transfers_max", &SetSize<&C::SnapshotTransfersMax>},
    Key<C>{"snapshot_bytes_per_second", "snapshot_bytes_per_second",
           &SetSize<&C::SnapshotBytesPerSecond>},
    Key<C>{"compaction_step", "compaction_step", &SetSize<&C::CompactionStep>},
    Key<C>{"compaction_entries_max", "compaction_entries_max", &SetSize<&C::CompactionEntriesMax>},
};
constexpr std::array kMemberKeys = {
    Key<NodeAddress>{"id", "initial_members[].id", &SetMemberId},
    Key<NodeAddress>{"endpoint", "initial_members[].endpoint", &SetMemberEndpoint},
};

template <class Object>
using Keys = std::span<const Key<Object>>;

// Reads every member of a JSON object into `object`; reports the keys that are none, and hands
// every other one to `done`, with whether it could be read.
template <class Object, class Done>
void ReadMembers(const Json& json, const Place& place, Keys<Object> keys, Object& object,
                 Done done) {
  for (const auto& [name, value] : json.items()) {
    const auto key = std::ranges::find(keys, std::string_view(name), &Key<Object>::name);
    if (key != keys.end()) {
      done(*key, key->set(value, place.At(name), object));
      continue;
    }
    const auto meant = std::ranges::find(keys, std::string_view(name), &Key<Object>::field);
    const std::string hint = meant == keys.end() ? "" : "; it is " + std::string(meant->name);
    place.At(name).Refuse("is no key of a configuration" + hint);
  }
}

bool SetMember(const Json& value, const Place& place, NodeAddress& member) {
  if (!value.is_object()) return place.Refuse(value, "an object with id and endpoint");
  const std::size_t problems_before = place.problems->size();
  ReadMembers(value, place, Keys<NodeAddress>(kMemberKeys), member, [](const auto&, bool) {});
  for (const auto& key : kMemberKeys) {
    if (!value.contains(key.name)) place.At(key.name).Refuse("is missing");
  }
  return place.problems->size() == problems_before;
}

bool SetMembers(const Json& value, const Place& place, RaftConfiguration& configuration) {
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

// Which fields the text names, and which of them could not be read.
struct Touched {
  std::vector<std::string_view> set;
  std::vector<std::string_view> failed;
};

// Whether one of these fields is the finding's own, or sets its bound.
bool Concerns(const ConfigurationFinding& finding, const std::vector<std::string_view>& fields) {
  const std::string_view whole = std::string_view(finding.field).substr(0, finding.field.find('['));
  return std::ranges::any_of(
      fields, [&](std::string_view field) { return field == whole || field == finding.bound_by; });
}

// "initial_members[0].id" -> "/initial_members/0/id"
std::string PointerOfField(std::string_view field) {
  for (const auto& key : kKeys) {
    if (field == key.field) return PointerTo("", key.name);
  }
  std::string pointer = "/";
  for (const char c : field) {
    if (c == '[' || c == '.') {
      pointer += '/';
    } else if (c != ']') {
      pointer += c;
    }
  }
  return pointer;
}

// Ranges, and what fields demand of each other: one judge for texts and for programs.
void AddRanges(const RaftConfiguration& configuration, const Touched& touched, Problems& problems) {
  for (const ConfigurationFinding& finding : FindProblems(configuration)) {
    if (!Concerns(finding, touched.set) || Concerns(finding, touched.failed)) continue;
    problems.emplace_back(PointerOfField(finding.field), finding.what);
  }
}

}  // namespace

std::string ConfigurationProblem::ToString() const {
  std::string line = pointer_.empty() ? "the text" : pointer_;
  for (char& c : line) {
    if ((c >= 0 && c < ' ') || c == 127) c = '?';
  }
  return line + (pointer_.empty() ? " " : ": ") + what_;
}

std::vector<ConfigurationProblem> ReadConfiguration(std::string_view text,
                                                    RaftConfiguration& configuration) {
  Problems problems;
  const std::optional<Json> json = ParseConfigurationText(text, problems);
  if (!json) return problems;
  const Place place{"", &problems};
  if (!json->is_object()) {
    place.Refuse(*json, "an object");
    return problems;
  }
  RaftConfiguration read = configuration;
  Touched touched;
  ReadMembers(*json, place, Keys<RaftConfiguration>(kKeys), read,
              [&](const Key<RaftConfiguration>& key, bool is_set) {
                (is_set ? touched.set : touched.failed).push_back(key.field);
              });
  AddRanges(read, touched, problems);
  if (problems.empty()) configuration = std::move(read);
  return problems;
}

std::vector<std::string_view> ConfigurationKeys() {
  std::vector<std::string_view> keys;
  for (const auto& key : kKeys) keys.push_back(key.name);
  for (const auto& key : kMemberKeys) keys.push_back(key.field);
  return keys;
}

}  // namespace kommander
