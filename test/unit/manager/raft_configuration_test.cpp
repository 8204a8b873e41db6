// Validate(): the defaults pass, each field's bounds are where the header says, and all problems
// come at once, each in one line that names field, value and range.
#include <functional>
#include <string>

#include <kommander/raft_configuration.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

using namespace std::chrono_literals;

NodeAddress Member(std::uint32_t id, std::uint16_t port) {
  return NodeAddress(NodeId(id), Endpoint("10.0.0.1", port));
}

RaftConfiguration Valid() {
  RaftConfiguration configuration;
  configuration.Id(NodeId(1)).InitialMembers({Member(1, 1), Member(2, 2), Member(3, 3)});
  return configuration;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// Exactly one problem, of this field, whose line has all of these words in it.
void CheckOne(const RaftConfiguration& configuration, const std::string& field,
              const std::vector<std::string>& words) {
  const auto problems = configuration.Validate();
  INFO(Joined(problems));
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].rfind(field + ": is ", 0) == 0);
  CHECK(problems[0].find('\n') == std::string::npos);
  for (const auto& word : words) {
    INFO(word);
    CHECK(problems[0].find(word) != std::string::npos);
  }
}

TEST_CASE("a plain configuration is valid") {
  CHECK(Joined(Valid().Validate()).empty());
  RaftConfiguration later;  // no list on later starts
  later.Id(NodeId(1));
  CHECK(Joined(later.Validate()).empty());
  RaftConfiguration alone;  // nobody needs to find it
  alone.Id(NodeId(1)).InitialMembers({Member(1, 0)});
  CHECK(Joined(alone.Validate()).empty());
}

TEST_CASE("identity") {
  auto configuration = Valid();
  SECTION("id 0") {
    configuration.InitialMembers({}).Id(NodeId());
    CheckOne(configuration, "id", {"0", "1 to 4294967295"});
  }
  SECTION("no cluster id") {
    configuration.ClusterId("");
    CheckOne(configuration, "cluster_id", {"0 bytes", "1 to 128 bytes"});
  }
  SECTION("a cluster id that is too long") {
    configuration.ClusterId(std::string(129, 'x'));
    CheckOne(configuration, "cluster_id", {"129 bytes", "1 to 128 bytes"});
    configuration.ClusterId(std::string(128, 'x'));
    CHECK(configuration.Validate().empty());
  }
  SECTION("a cluster id of many lines is told in one") {
    configuration.ClusterId("a\nb" + std::string(200, '\n'));
    CheckOne(configuration, "cluster_id", {"a?b"});
  }
  SECTION("nowhere to listen") {
    configuration.Listen(Endpoint("", 1));
    CheckOne(configuration, "listen", {"a host"});
  }
}

TEST_CASE("initial members") {
  auto configuration = Valid();
  SECTION("member 0") {
    configuration.InitialMembers({Member(1, 1), Member(0, 2)});
    CheckOne(configuration, "initial_members[1].id", {"0", "1 to 4294967295"});
  }
  SECTION("more than a roster holds") {
    std::vector<NodeAddress> members;
    for (std::uint16_t id = 1; id <= 256; ++id) members.push_back(Member(id, id));
    configuration.InitialMembers(members);
    CHECK(configuration.Validate().empty());
    members.push_back(Member(257, 257));
    configuration.InitialMembers(members);
    CheckOne(configuration, "initial_members", {"257 nodes", "at most 256"});
  }
  SECTION("an id twice") {
    configuration.InitialMembers({Member(1, 1), Member(2, 2), Member(2, 3)});
    CheckOne(configuration, "initial_members[2].id", {"2", "initial_members[1]"});
  }
  SECTION("an endpoint twice") {
    configuration.InitialMembers({Member(1, 1), Member(2, 2), Member(3, 1)});
    CheckOne(configuration, "initial_members[2].endpoint", {"10.0.0.1:1", "initial_members[0]"});
  }
  SECTION("without this node: it is to be added later") {
    configuration.InitialMembers({Member(2, 2), Member(3, 3)});
    CHECK(configuration.Validate().empty());
  }
  SECTION("addresses that are left to discovery") {
    configuration.InitialMembers(
        {Member(1, 1), NodeAddress(NodeId(2), Endpoint()), NodeAddress(NodeId(3), Endpoint())});
    CHECK(configuration.Validate().empty());
  }
  SECTION("a port that nobody can dial") {
    configuration.InitialMembers({Member(1, 1), Member(2, 0)});
    CheckOne(configuration, "initial_members[1].endpoint", {"10.0.0.1:0", "1 to 65535"});
  }
  SECTION("this node's own port matters to others") {
    configuration.InitialMembers({Member(1, 0), Member(2, 2)});
    CheckOne(configuration, "initial_members[0].endpoint", {"10.0.0.1:0"});
  }
  SECTION("no host") {
    configuration.InitialMembers({Member(1, 1), NodeAddress(NodeId(2), Endpoint("", 2))});
    CheckOne(configuration, "initial_members[1].endpoint", {"a host"});
  }
}

// The bounds of a field: both ends pass, one step outside does not.
template <class Value>
struct Bounds {
  std::string field;
  Value least;
  Value most;
  Value step;
  std::function<void(RaftConfiguration&, Value)> set;
};

template <class Value>
void CheckBounds(const Bounds<Value>& bounds) {
  INFO(bounds.field);
  for (const Value inside : {bounds.least, bounds.most}) {
    auto configuration = Valid();
    bounds.set(configuration, inside);
    INFO(Joined(configuration.Validate()));
    CHECK(configuration.Validate().empty());
  }
  for (const Value outside : {bounds.least - bounds.step, bounds.most + bounds.step}) {
    auto configuration = Valid();
    bounds.set(configuration, outside);
    CheckOne(configuration, bounds.field, {" to "});
  }
}

TEST_CASE("times within their bounds") {
  const std::vector<Bounds<Duration>> all{
      {"election_timeout", 10ms, 5min, 1ns, [](auto& c, auto v) { c.ElectionTimeout(v); }},
      {"proposal_timeout", 1ms, 1h, 1ns, [](auto& c, auto v) { c.ProposalTimeout(v); }},
      {"read_timeout", 1ms, 1h, 1ns, [](auto& c, auto v) { c.ReadTimeout(v); }},
      {"leader_timeout", 1ms, 1h, 1ns, [](auto& c, auto v) { c.LeaderTimeout(v); }},
  };
  for (const auto& bounds : all) CheckBounds(bounds);
}

TEST_CASE("counts within their bounds") {
  const std::vector<Bounds<std::size_t>> all{
      {"queued_proposals_max", 1, 1'000'000, 1, [](auto& c, auto v) { c.QueuedProposalsMax(v); }},
      {"queued_messages_max", 1, 1'000'000, 1, [](auto& c, auto v) { c.QueuedMessagesMax(v); }},
      {"queued_writes_max", 1, 1'000'000, 1, [](auto& c, auto v) { c.QueuedWritesMax(v); }},
      {"node_queued_writes_max", 1, 1'000'000, 1,
       [](auto& c, auto v) { c.NodeQueuedWritesMax(v); }},
      {"entry_bytes_max", 1 << 10, 15 << 20, 1,
       [](auto& c, auto v) { c.EntryBytesMax(v).InflightBytesMax(64u << 20); }},
      {"initial_partitions", 1, 65'535, 1,
       [](auto& c, auto v) { c.InitialPartitions(static_cast<std::uint32_t>(v)); }},
  };
  for (const auto& bounds : all) CheckBounds(bounds);
}

TEST_CASE("heartbeats come at least twice in an election timeout") {
  auto configuration = Valid();
  configuration.ElectionTimeout(1000ms);
  configuration.HeartbeatInterval(500ms);
  CheckOne(configuration, "heartbeat_interval", {"500 ms", "1000 ms"});
  configuration.HeartbeatInterval(500ms - 1ns);
  CHECK(configuration.Validate().empty());
  configuration.HeartbeatInterval(-1ms);
  CheckOne(configuration, "heartbeat_interval", {"-1 ms"});
  configuration.HeartbeatInterval(0ms);
  CHECK(configuration.Validate().empty());
}

TEST_CASE("an election timeout beyond all doubling is refused like any other") {
  for (const Duration endless : {Duration::min(), Duration::max()}) {
    auto configuration = Valid();
    configuration.ElectionTimeout(endless).HeartbeatInterval(100ms);
    CHECK((configuration.stall_max() > 0ns) == (endless > 0ns));
    CHECK_FALSE(configuration.Validate().empty());
  }
}

TEST_CASE("waits that may be 0") {
  auto configuration = Valid();
  configuration.StallMax(0ms).JoinTimeout(0ms);
  CHECK(configuration.Validate().empty());
  configuration.StallMax(1h).JoinTimeout(24h);
  CHECK(configuration.Validate().empty());
  SECTION("a negative stall") {
    configuration.StallMax(-1us);
    CheckOne(configuration, "stall_max", {"-1 us"});
  }
  SECTION("a stall without end") {
    configuration.StallMax(1h + 1ns);
    CheckOne(configuration, "stall_max", {"3600000000001 ns", "3600000 ms"});
  }
  SECTION("a negative join") {
    configuration.JoinTimeout(-1ms);
    CheckOne(configuration, "join_timeout", {"-1 ms", "for ever"});
  }
  SECTION("a join of days") {
    configuration.JoinTimeout(25h);
    CheckOne(configuration, "join_timeout", {"90000000 ms"});
  }
}

TEST_CASE("one entry fits wherever entries are counted") {
  auto configuration = Valid();
  configuration.EntryBytesMax(1 << 20).InitialMembers({Member(1, 1)});
  configuration.QueuedProposalBytesMax(1 << 20).QueuedMessageBytesMax(1 << 20);
  configuration.InflightBytesMax(1 << 20);
  configuration.QueuedWriteBytesMax(1 << 20).NodeQueuedWriteBytesMax(1 << 20);
  configuration.UncommittedBytesMax(1 << 20).ApplyBytesMax(1).CacheBytesMax(0);
  CHECK(Joined(configuration.Validate()).empty());
  constexpr std::size_t kLess = (1 << 20) - 1;
  SECTION("queued") {
    configuration.QueuedProposalBytesMax(kLess);
    CheckOne(configuration, "queued_proposal_bytes_max", {"1048575", "1048576"});
  }
  SECTION("queued messages") {
    configuration.QueuedMessageBytesMax(kLess);
    CheckOne(configuration, "queued_message_bytes_max", {"1048575", "1048576"});
  }
  SECTION("inflight") {
    configuration.InflightBytesMax(kLess);
    CheckOne(configuration, "inflight_bytes_max", {"1048575", "1048576"});
  }
  SECTION("on the way to the disk") {
    configuration.QueuedWriteBytesMax(kLess);
    CheckOne(configuration, "queued_write_bytes_max", {"1048575", "1048576"});
  }
  SECTION("on the way to the disk, of all") {
    configuration.NodeQueuedWriteBytesMax(kLess);
    CheckOne(configuration, "node_queued_write_bytes_max", {"1048575", "1048576"});
  }
  SECTION("uncommitted") {
    configuration.UncommittedBytesMax(kLess);
    CheckOne(configuration, "uncommitted_bytes_max", {"1048575", "1048576"});
  }
  SECTION("applying nothing at all") {
    configuration.ApplyBytesMax(0);
    CheckOne(configuration, "apply_bytes_max", {"at least 1"});
  }
}

TEST_CASE("free space to be kept: none at all, or up to a tebibyte") {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 40;
  auto configuration = Valid();
  for (const std::uint64_t inside : {std::uint64_t{0}, kMost}) {
    CHECK(Joined(configuration.FreeBytesMin(inside).Validate()).empty());
  }
  CheckOne(configuration.FreeBytesMin(kMost + 1), "free_bytes_min",
           {"1099511627777", "0 to 1099511627776"});
}

TEST_CASE("the partition map must fit into one entry") {
  auto configuration = Valid();
  configuration.EntryBytesMax(1 << 10).InitialPartitions(25);
  CHECK(Joined(configuration.Validate()).empty());
  configuration.InitialPartitions(28);
  CheckOne(configuration, "entry_bytes_max", {"1024", "initial_partitions 28"});
}

TEST_CASE("all problems come at once") {
  RaftConfiguration configuration;
  configuration.ClusterId("").Listen(Endpoint("", 0)).InitialPartitions(0);
  configuration.InitialMembers({Member(2, 2), Member(2, 2), Member(0, 0)});
  configuration.ElectionTimeout(0ms).HeartbeatInterval(1ms).StallMax(-1ms).JoinTimeout(-1ms);
  configuration.ProposalTimeout(0ms).ReadTimeout(0ms).LeaderTimeout(0ms);
  configuration.QueuedProposalsMax(0).QueuedProposalBytesMax(0).QueuedMessagesMax(0);
  configuration.QueuedMessageBytesMax(0);
  configuration.EntryBytesMax(0x7fffffff).InflightBytesMax(0).UncommittedBytesMax(0);
  configuration.ApplyBytesMax(0);
  const std::string text = Joined(configuration.Validate());
  INFO(text);
  for (const char* field : {"id: ",
                            "cluster_id: ",
                            "listen: ",
                            "initial_members[1].id: ",
                            "initial_members[1].endpoint: ",
                            "initial_members[2].id: ",
                            "initial_members[2].endpoint: ",
                            "initial_partitions: ",
                            "election_timeout: ",
                            "heartbeat_interval: ",
                            "stall_max: ",
                            "join_timeout: ",
                            "proposal_timeout: ",
                            "read_timeout: ",
                            "leader_timeout: ",
                            "queued_proposals_max: ",
                            "queued_proposal_bytes_max: ",
                            "queued_messages_max: ",
                            "queued_message_bytes_max: ",
                            "entry_bytes_max: ",
                            "inflight_bytes_max: ",
                            "uncommitted_bytes_max: ",
                            "apply_bytes_max: "}) {
    INFO(field);
    CHECK(("\n" + text).find("\n" + std::string(field)) != std::string::npos);
  }
}

}  // namespace
}  // namespace kommander
