// Configurations as bytes and as history.
#include "raft/membership.hpp"

#include <map>

#include "catch.hpp"
#include "raft/random.hpp"

using namespace kommander;
using namespace kommander::raft;

namespace {

std::vector<NodeId> Ids(std::initializer_list<std::uint32_t> ids) {
  std::vector<NodeId> list;
  for (const std::uint32_t id : ids) list.emplace_back(id);
  return list;
}

}  // namespace

TEST_CASE("a configuration is three little-endian lists") {
  const Configuration configuration(Ids({1, 0x01020304}), Ids({9}), Ids({7}));
  const Payload bytes = EncodeConfiguration(configuration);
  const std::string expected(
      "\x02\x00\x01\x00\x00\x00\x04\x03\x02\x01"
      "\x01\x00\x07\x00\x00\x00"
      "\x01\x00\x09\x00\x00\x00",
      22);
  REQUIRE(bytes.text() == expected);
  REQUIRE(DecodeConfiguration(bytes.bytes()) == configuration);
}

TEST_CASE("only exactly such bytes decode") {
  const Payload good = EncodeConfiguration(Configuration(Ids({1, 2, 3}), Ids({4})));
  for (std::size_t size = 0; size < good.size(); ++size) {
    REQUIRE_FALSE(DecodeConfiguration(good.bytes().first(size)));
  }
  REQUIRE_FALSE(DecodeConfiguration(AsBytes(std::string(good.text()) + "x")));
  const auto one_list = [](const std::string& ids, char count) {
    return std::string(1, count) + std::string(1, '\0') + ids + std::string(4, '\0');
  };
  const std::string one("\x01\x00\x00\x00", 4);
  const std::string two("\x02\x00\x00\x00", 4);
  REQUIRE(DecodeConfiguration(AsBytes(one_list(one + two, 2))));
  REQUIRE_FALSE(DecodeConfiguration(AsBytes(one_list(two + one, 2))));
  REQUIRE_FALSE(DecodeConfiguration(AsBytes(one_list(one + one, 2))));
  REQUIRE_FALSE(DecodeConfiguration(AsBytes(one_list(std::string(4, '\0'), 1))));
}

TEST_CASE("random bytes never do harm") {
  Random random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random.Below(40), '\0');
    for (char& c : bytes) c = static_cast<char>(random.Below(4));
    if (const auto decoded = DecodeConfiguration(AsBytes(bytes))) {
      REQUIRE(EncodeConfiguration(*decoded).text() == bytes);
    }
  }
}

TEST_CASE("targets name every member once, with a voter, and are not joint") {
  REQUIRE(IsValidTarget(Configuration(Ids({1}))));
  REQUIRE(IsValidTarget(Configuration(Ids({1, 2}), Ids({3}))));
  REQUIRE_FALSE(IsValidTarget(Configuration()));
  REQUIRE_FALSE(IsValidTarget(Configuration(Ids({1}), Ids({1}))));
  REQUIRE_FALSE(IsValidTarget(Configuration(Ids({0, 1}))));
  REQUIRE_FALSE(IsValidTarget(Configuration(Ids({1}), {}, Ids({2}))));
  Configuration unsorted;
  unsorted.voters = Ids({2, 1});
  REQUIRE_FALSE(IsValidTarget(unsorted));
}

TEST_CASE("voters change through a joint configuration, learners at once") {
  const Configuration current(Ids({1, 2, 3}), Ids({4}));
  const Configuration learners(Ids({1, 2, 3}), Ids({5}));
  REQUIRE(FirstStep(current, learners) == learners);
  const Configuration target(Ids({2, 4}), Ids({1}));
  const Configuration joint = FirstStep(current, target);
  REQUIRE(joint == Configuration(Ids({2, 4}), Ids({1}), Ids({1, 2, 3})));
  REQUIRE(joint.IsVoter(NodeId(1)));
  REQUIRE(LeaveJoint(joint) == target);
}

TEST_CASE("history against a map, under random appends, truncations and compactions") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    Random random(seed);
    std::map<LogIndex, Configuration> model{{LogIndex(0), Configuration(Ids({1}))}};
    ConfigurationHistory history(LogIndex(0), Configuration(Ids({1})));
    LogIndex last;
    LogIndex boundary;
    for (int i = 0; i < 60; ++i) {
      const std::uint64_t kind = random.Below(4);
      if (kind < 2) {
        last = last + 1 + random.Below(3);
        const Configuration next(Ids({static_cast<std::uint32_t>(1 + random.Below(9))}));
        history.Append(last, next);
        model[last] = next;
      } else if (kind == 2 && last > boundary) {
        const LogIndex from = boundary + 1 + random.Below(LogIndex::Distance(boundary, last));
        const bool changed = model.lower_bound(from) != model.end();
        REQUIRE(history.TruncateFrom(from) == changed);
        model.erase(model.lower_bound(from), model.end());
        last = from.Previous();
      } else if (last > boundary) {
        boundary = boundary + random.Below(LogIndex::Distance(boundary, last) + 1);
        history.CompactTo(boundary);
      }
      REQUIRE(history.active() == model.rbegin()->second);
      REQUIRE(history.active_index() == model.rbegin()->first);
      for (LogIndex index = boundary; index <= last.Next(); index = index.Next()) {
        const auto in_force = std::prev(model.upper_bound(index));
        REQUIRE(history.At(index) == in_force->second);
        REQUIRE(history.IndexAt(index) == in_force->first);
        bool may_lead = false;
        for (auto later = in_force; later != model.end(); ++later) {
          may_lead = may_lead || later->second.IsVoter(NodeId(5));
        }
        REQUIRE(history.MayLead(NodeId(5), index) == may_lead);
      }
    }
  }
}
