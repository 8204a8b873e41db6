// Settings of the cluster: the same on every node, whoever was asked, also after restarts and
// checkpoints; and what is refused, which only the log can tell.
#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

#include "catch.hpp"
#include "support/pinned_cluster.hpp"
#include "support/test_cluster.hpp"

namespace kommander::test {
namespace {

constexpr std::uint32_t kLeader = PinnedCluster::kLeader;
constexpr std::uint32_t kFollower = 3;

// One node leads the system partition as long as it lives.
struct Cluster : PinnedCluster {
  Cluster() { cluster.MakeLeader(kSystemPartition, kLeader); }

  Answer<ReplicateResult> Set(std::uint32_t id, const std::string& name, const std::string& value,
                              ReplicateOptions options = {}) {
    Answer<ReplicateResult> answer(cluster.node(id).Probe());
    cluster.raft(id).SetClusterSetting(name, value, options, answer.Token());
    return answer;
  }
  Answer<ReplicateResult> Remove(std::uint32_t id, const std::string& name,
                                 ReplicateOptions options = {}) {
    Answer<ReplicateResult> answer(cluster.node(id).Probe());
    cluster.raft(id).RemoveClusterSetting(name, options, answer.Token());
    return answer;
  }
  // What the node has once it has everything that was acknowledged before.
  ClusterSettings Read(std::uint32_t id) {
    for (;;) {
      Answer<ReadBarrierResult> barrier(cluster.node(id).Probe());
      cluster.raft(id).ReadBarrier(kSystemPartition, barrier.Token());
      if (!barrier.Wait()) return cluster.raft(id).GetClusterSettings();
    }
  }
  void CheckEverywhere(const std::vector<ClusterSetting>& expected) {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      CAPTURE(id);
      CHECK(Read(id).settings() == expected);
    }
  }
};

TEST_CASE("a setting is on every node, whoever was asked for it") {
  Cluster three;
  RaftManager& leader = three.cluster.raft(kLeader);
  CHECK_FALSE(leader.GetClusterSetting("b"));
  const ReplicateResult b = three.Set(kLeader, "b", "1").Get();
  // The node that was asked has it at once.
  REQUIRE(leader.GetClusterSetting("b"));
  CHECK(*leader.GetClusterSetting("b") == ClusterSetting("b", b.index, "1"));
  three.CheckEverywhere({ClusterSetting("b", b.index, "1")});

  const ReplicateResult a = three.Set(kFollower, "a", "", ReplicateOptions().Forward()).Get();
  CHECK(a.index > b.index);
  CHECK(a.ticket.node() == NodeId(kLeader));
  three.CheckEverywhere({ClusterSetting("a", a.index, ""), ClusterSetting("b", b.index, "1")});
  // Without the option nobody is asked but the node itself.
  CHECK(three.Set(kFollower, "a", "2").Wait() == RaftErrc::NodeIsNotLeader);

  const ReplicateResult again = three.Set(kLeader, "b", "3").Get();
  CHECK(again.index > a.index);
  three.Remove(kFollower, "a", ReplicateOptions().Forward()).Get();
  three.Remove(kLeader, "never-set").Get();
  three.CheckEverywhere({ClusterSetting("b", again.index, "3")});
  three.Finish();
}

TEST_CASE("a token alone will do") {
  Cluster three;
  RaftManager& leader = three.cluster.raft(kLeader);
  Answer<ReplicateResult> set;
  leader.SetClusterSetting("name", "value", set.Token());
  set.Get();
  Answer<ReplicateResult> removed;
  leader.RemoveClusterSetting("name", removed.Token());
  removed.Get();
  CHECK(leader.GetClusterSettings() == ClusterSettings());
  three.Finish();
}

TEST_CASE("what no setting can be is refused before anybody is asked") {
  Cluster three;
  const std::string most(kClusterSettingValueBytesMax, 'v');
  for (const std::uint32_t id : {kLeader, kFollower}) {
    const auto options = ReplicateOptions().Forward();
    CHECK(three.Set(id, "", "v", options).Wait() == RaftErrc::InvalidArgument);
    CHECK(three.Set(id, "_own", "v", options).Wait() == RaftErrc::InvalidArgument);
    CHECK(three.Set(id, "a b", "v", options).Wait() == RaftErrc::InvalidArgument);
    CHECK(three.Remove(id, "_own", options).Wait() == RaftErrc::InvalidArgument);
    CHECK(three.Set(id, "large", most + "v", options).Wait() == RaftErrc::InvalidArgument);
    three.Set(id, "large", most, options).Get();
    CHECK(three.Set(id, "a", "v", ReplicateOptions().Manual()).Wait() == RaftErrc::InvalidArgument);
    const SessionRequest request = ClientSession(kSystemPartition, SessionId(1)).Begin();
    CHECK(three.Set(id, "a", "v", ReplicateOptions().Session(request)).Wait() ==
          RaftErrc::InvalidArgument);
    // And what is for settings alone means nothing elsewhere.
    Answer<ReplicateResult> write;
    three.cluster.raft(id).ReplicateLogs(
        1, "Text", "text", ReplicateOptions().ExpectedVersion(LogIndex(1)), write.Token());
    CHECK(write.Wait() == RaftErrc::InvalidArgument);
  }
  CHECK(three.Read(1).settings().size() == 1);
  three.Finish();
}

TEST_CASE("of two that expect the same version one is told that it came too late") {
  Cluster three;
  const auto expect = [](LogIndex version) {
    return ReplicateOptions().Forward().ExpectedVersion(version);
  };
  // Both are on their way at once; the log has one of them first.
  const auto one = three.Set(kLeader, "owner", "one", expect(LogIndex()));
  const auto other = three.Set(kFollower, "owner", "other", expect(LogIndex()));
  const bool one_won = !one.Wait();
  CHECK(one_won == (other.Wait() == RaftErrc::SettingChanged));
  if (!one_won) CHECK(one.error() == RaftErrc::SettingChanged);
  CHECK_FALSE(IsRetryable(error_code(RaftErrc::SettingChanged)));
  const LogIndex version = (one_won ? one : other).result().index;
  three.CheckEverywhere({ClusterSetting("owner", version, one_won ? "one" : "other")});

  CHECK(three.Remove(kFollower, "owner", expect(version.Previous())).Wait() ==
        RaftErrc::SettingChanged);
  const LogIndex next = three.Set(kFollower, "owner", "next", expect(version)).Get().index;
  CHECK(three.Set(kLeader, "owner", "late", expect(version)).Wait() == RaftErrc::SettingChanged);
  three.CheckEverywhere({ClusterSetting("owner", next, "next")});
  three.Remove(kLeader, "owner", expect(next)).Get();
  three.CheckEverywhere({});
  three.Finish();
}

TEST_CASE("one setting more than there may be is refused, whoever was asked") {
  Cluster three;
  std::vector<Answer<ReplicateResult>> answers;
  for (std::size_t i = 0; i < kClusterSettingsMax + 20; ++i) {
    const std::uint32_t id = i % 2 == 0 ? kLeader : kFollower;
    answers.push_back(three.Set(id, "s" + std::to_string(i), "v", ReplicateOptions().Forward()));
  }
  std::size_t refused = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const error_code error = answers[i].Wait();
    if (error) CHECK(error == RaftErrc::TooManySettings);
    ++(error ? refused : kept);
  }
  CHECK(refused == 20);
  const ClusterSettings settings = three.Read(kFollower);
  CHECK(settings.settings().size() == kClusterSettingsMax);
  CHECK(kept == kClusterSettingsMax);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const bool is_there = settings.Find("s" + std::to_string(i)) != nullptr;
    CHECK(is_there == !answers[i].error());
  }
  // Those that are there can still be changed, and one that goes makes room.
  const std::string there = settings.settings().front().name;
  three.Set(kLeader, there, "other").Get();
  three.Remove(kFollower, there, ReplicateOptions().Forward()).Get();
  three.Set(kLeader, "new", "v").Get();
  CHECK(three.Set(kLeader, there, "v").Wait() == RaftErrc::TooManySettings);
  three.Finish();
}

// What a node's handler was told, newest last.
struct Told {
  void Add(ClusterSettings settings) {
    const std::lock_guard lock(mutex);
    all.push_back(std::move(settings));
  }
  [[nodiscard]] ClusterSettings Newest() {
    const std::lock_guard lock(mutex);
    return all.empty() ? ClusterSettings() : all.back();
  }
  std::mutex mutex;
  std::vector<ClusterSettings> all;
};

void CreateToldNodes(TestCluster& cluster, std::vector<Told>& told) {
  cluster.CreateAll();
  for (std::uint32_t id = 1; id <= cluster.size(); ++id) {
    cluster.raft(id).OnClusterSettingsChanged(
        [&told, id](const ClusterSettings& settings) { told[id - 1].Add(settings); });
  }
}

// Through whoever leads, as often as it takes.
void SetSomewhere(TestCluster& cluster, const std::string& name, const std::string& value) {
  for (;;) {
    Answer<ReplicateResult> answer;
    cluster.raft(cluster.WaitForLeader(kSystemPartition))
        .SetClusterSetting(name, value, answer.Token());
    if (!answer.Wait()) return;
    REQUIRE((IsRetryable(answer.error()) || IsOutcomeUnknown(answer.error())));
  }
}

LogIndex CheckpointSomewhere(TestCluster& cluster) {
  for (;;) {
    Answer<ReplicateResult> answer;
    cluster.raft(cluster.WaitForLeader(kSystemPartition))
        .ReplicateCheckpoint(kSystemPartition, answer.Token());
    if (!answer.Wait()) return answer.result().index;
    REQUIRE((IsRetryable(answer.error()) || IsOutcomeUnknown(answer.error())));
  }
}

TEST_CASE("settings outlive restarts of all nodes and the entries that made them") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.CompactionStep(8).RetainedEntries(0);
  });
  std::vector<Told> told(3);
  CreateToldNodes(cluster, told);
  cluster.JoinAll();
  SetSomewhere(cluster, "kept", "for good");
  for (int i = 0; i < 40; ++i) SetSomewhere(cluster, "counter", std::to_string(i));
  const bool is_cut = GENERATE(true, false);
  if (is_cut) {
    (void)CheckpointSomewhere(cluster);
    cluster.Write(kSystemPartition, "after the checkpoint");
  }
  SetSomewhere(cluster, "last", "one");
  ClusterSettings before;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    REQUIRE(Eventually([&] { return cluster.raft(id).GetClusterSetting("last").has_value(); }));
    before = cluster.raft(id).GetClusterSettings();
    CHECK(before.Find("counter")->value == Payload("39"));
    REQUIRE(Eventually([&] { return told[id - 1].Newest() == before; }));
    if (!is_cut) continue;
    const LogIndex made = before.Find("kept")->version;
    REQUIRE(Eventually([&] { return cluster.raft(id).Status(kSystemPartition).first > made; }));
  }
  for (std::uint32_t id = 1; id <= 3; ++id) cluster.Stop(id);
  std::vector<Told> told_later(3);
  CreateToldNodes(cluster, told_later);
  cluster.JoinAll();
  SetSomewhere(cluster, "next", "life");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    REQUIRE(Eventually([&] { return cluster.raft(id).GetClusterSetting("next").has_value(); }));
    std::vector<ClusterSetting> rest = cluster.raft(id).GetClusterSettings().settings();
    std::erase_if(rest, [](const ClusterSetting& setting) { return setting.name == "next"; });
    CHECK(rest == before.settings());
    REQUIRE(Eventually([&] { return told_later[id - 1].Newest().Find("next") != nullptr; }));
  }
  cluster.StopAll();
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

// All that a node's handlers were told of the system partition's state, in order.
struct Heard {
  template <class State>
  struct Line {
    void Add(const State& state) {
      const std::lock_guard lock(mutex);
      all.push_back(state);
    }
    [[nodiscard]] std::vector<State> All() {
      const std::lock_guard lock(mutex);
      return all;
    }
    [[nodiscard]] bool EndsWith(const State& state) {
      const std::lock_guard lock(mutex);
      return !all.empty() && all.back() == state;
    }
    // Only changes are told.
    [[nodiscard]] bool HasRepeats() {
      const std::lock_guard lock(mutex);
      return std::adjacent_find(all.begin(), all.end()) != all.end();
    }
    std::mutex mutex;
    std::vector<State> all;
  };
  void ListenTo(TestNode& node) {
    const auto probe = node.Probe();
    node.raft()
        .OnPartitionMapChanged([this, probe](const PartitionMap& map) {
          (void)probe();
          maps.Add(map);
        })
        .OnMembershipChanged([this, probe](const Membership& membership) {
          (void)probe();
          memberships.Add(membership);
        })
        .OnClusterSettingsChanged([this, probe](const ClusterSettings& changed) {
          (void)probe();
          settings.Add(changed);
        });
  }
  Line<PartitionMap> maps;
  Line<Membership> memberships;
  Line<ClusterSettings> settings;
};

bool IsSeenByAll(const Membership& membership, std::size_t size) {
  const auto& members = membership.members();
  return members.size() == size &&
         std::all_of(members.begin(), members.end(), [](const ClusterMember& member) {
           return member.incarnation != Incarnation();
         });
}

void CheckFirstStart(TestCluster& cluster, std::vector<Heard>& first) {
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    RaftManager& raft = cluster.raft(id);
    Heard& heard = first[id - 1];
    const PartitionMap map = raft.GetPartitionMap();
    CHECK(map.records().size() == 2);
    REQUIRE(Eventually([&] { return heard.maps.EndsWith(map); }));
    CHECK(heard.maps.All().size() == 1);
    REQUIRE(Eventually([&] { return IsSeenByAll(raft.GetMembership(), 3); }));
    REQUIRE(Eventually([&] { return heard.memberships.EndsWith(raft.GetMembership()); }));
    CHECK_FALSE(heard.memberships.HasRepeats());
    CHECK(heard.settings.All().empty());
  }
  SetSomewhere(cluster, "kept", "for good");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    REQUIRE(Eventually([&] { return cluster.raft(id).GetClusterSetting("kept").has_value(); }));
    const ClusterSettings settings = cluster.raft(id).GetClusterSettings();
    REQUIRE(Eventually([&] { return first[id - 1].settings.EndsWith(settings); }));
    CHECK_FALSE(first[id - 1].settings.HasRepeats());
  }
}

// On every node, and on its disk: a restart finds what it knows before it reads its log.
void CutSystemLog(TestCluster& cluster) {
  for (int i = 0; i < 40; ++i) cluster.Write(kSystemPartition, std::to_string(i));
  (void)CheckpointSomewhere(cluster);
  cluster.Write(kSystemPartition, "after the checkpoint");
  const LogIndex made = cluster.raft(1).GetClusterSetting("kept")->version;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    REQUIRE(Eventually([&] { return cluster.raft(id).Status(kSystemPartition).first > made; }));
  }
  cluster.Write(kSystemPartition, "on disk with the cut");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.journal(id).WaitForText(kSystemPartition, "on disk with the cut");
  }
}

TEST_CASE("map, roster and settings are told at the first start, and later only when they change") {
  World world(World::Kind::kFourThreads);
  TestCluster cluster(world.executor(), 3, [](RaftConfiguration& configuration) {
    configuration.CompactionStep(8).RetainedEntries(0).InitialPartitions(2);
  });
  std::vector<Heard> first(3);
  cluster.CreateAll();
  for (std::uint32_t id = 1; id <= 3; ++id) {
    first[id - 1].ListenTo(cluster.node(id));
    CHECK(cluster.raft(id).GetPartitionMap() == PartitionMap());
    CHECK(cluster.raft(id).GetMembership() == Membership());
  }
  cluster.JoinAll();
  CheckFirstStart(cluster, first);
  // The restart finds them in the log's boundary, or command by command in the log.
  const bool is_cut = GENERATE(true, false);
  CAPTURE(is_cut);
  if (is_cut) CutSystemLog(cluster);
  const PartitionMap map = cluster.raft(1).GetPartitionMap();
  const Membership membership = cluster.raft(1).GetMembership();
  const ClusterSettings settings = cluster.raft(1).GetClusterSettings();
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CHECK(first[id - 1].maps.All().size() == 1);
    cluster.Stop(id);
  }

  std::vector<Heard> later(3);
  cluster.CreateAll();
  for (std::uint32_t id = 1; id <= 3; ++id) later[id - 1].ListenTo(cluster.node(id));
  cluster.JoinAll();
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    CHECK(cluster.raft(id).GetPartitionMap() == map);
    CHECK(cluster.raft(id).GetMembership() == membership);
    CHECK(cluster.raft(id).GetClusterSettings() == settings);
  }
  SetSomewhere(cluster, "next", "life");
  for (std::uint32_t id = 1; id <= 3; ++id) {
    CAPTURE(id);
    Heard& heard = later[id - 1];
    REQUIRE(Eventually([&] { return cluster.raft(id).GetClusterSetting("next").has_value(); }));
    const ClusterSettings changed = cluster.raft(id).GetClusterSettings();
    REQUIRE(Eventually([&] { return heard.settings.EndsWith(changed); }));
    CHECK(heard.settings.All().size() == 1);
    // Handlers of the system partition have an order: these would have come before.
    CHECK(heard.maps.All().empty());
    CHECK(heard.memberships.All().empty());
  }
  cluster.StopAll();
  CHECK_FALSE(cluster.AnythingMisplaced());
  world.Finish();
}

}  // namespace
}  // namespace kommander::test
