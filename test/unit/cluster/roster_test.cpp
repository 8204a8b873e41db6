// The roster: sorted members and pins that are filled once.
#include "cluster/roster.hpp"

#include "catch.hpp"

namespace kommander::cluster {
namespace {

TEST_CASE("an empty roster is unknown and pins nobody") {
  Roster roster;
  CHECK_FALSE(roster.IsKnown());
  CHECK_FALSE(roster.IsMember(NodeId(1)));
  CHECK(roster.PinOf(NodeId(1)) == Incarnation());
  CHECK_FALSE(roster.Pin(NodeId(1), Incarnation(7)));
  CHECK(roster == Roster());
}

TEST_CASE("members are sorted and named once, the first naming counts") {
  const Roster roster({{NodeId(3), Incarnation(30)},
                       {NodeId(1), Incarnation(10)},
                       {NodeId(3), Incarnation(31)},
                       {NodeId(2), Incarnation()}});
  REQUIRE(roster.members().size() == 3);
  CHECK(roster.members()[0] == RosterMember(NodeId(1), Incarnation(10)));
  CHECK(roster.members()[1] == RosterMember(NodeId(2), Incarnation()));
  CHECK(roster.members()[2] == RosterMember(NodeId(3), Incarnation(30)));
  CHECK(roster.IsKnown());
  CHECK(roster.IsMember(NodeId(2)));
  CHECK_FALSE(roster.IsMember(NodeId(4)));
  CHECK_FALSE(roster.IsMember(NodeId(0)));
  CHECK(roster.PinOf(NodeId(3)) == Incarnation(30));
  CHECK(roster.PinOf(NodeId(2)) == Incarnation());
  CHECK(roster.PinOf(NodeId(4)) == Incarnation());
}

TEST_CASE("members are added in order, once, up to the bound") {
  Roster unknown;
  CHECK_FALSE(unknown.Add(NodeId(1)));
  CHECK_FALSE(unknown.IsKnown());
  Roster roster({{NodeId(1), Incarnation(10)}, {NodeId(5), Incarnation(50)}});
  const Roster before = roster;
  CHECK_FALSE(roster.Add(NodeId(0)));
  CHECK_FALSE(roster.Add(NodeId(5)));
  CHECK(roster == before);
  CHECK(roster.Add(NodeId(3)));
  CHECK(roster == Roster({{NodeId(1), Incarnation(10)},
                          {NodeId(3), Incarnation()},
                          {NodeId(5), Incarnation(50)}}));
  for (std::uint32_t id = 100; roster.members().size() < Roster::kMembersMax; ++id) {
    CHECK(roster.Add(NodeId(id)));
  }
  CHECK_FALSE(roster.Add(NodeId(1000)));
  CHECK(roster.members().size() == Roster::kMembersMax);
}

TEST_CASE("a pin is filled once, by something, for a member") {
  Roster roster({{NodeId(1), Incarnation(10)}, {NodeId(2), Incarnation()}});
  const Roster before = roster;
  CHECK_FALSE(roster.Pin(NodeId(1), Incarnation(11)));
  CHECK_FALSE(roster.Pin(NodeId(1), Incarnation(10)));
  CHECK_FALSE(roster.Pin(NodeId(2), Incarnation(0)));
  CHECK_FALSE(roster.Pin(NodeId(3), Incarnation(30)));
  CHECK(roster == before);
  CHECK(roster.Pin(NodeId(2), Incarnation(20)));
  CHECK(roster.PinOf(NodeId(2)) == Incarnation(20));
  CHECK_FALSE(roster.Pin(NodeId(2), Incarnation(21)));
  CHECK(roster.PinOf(NodeId(2)) == Incarnation(20));
  CHECK(roster.PinOf(NodeId(1)) == Incarnation(10));
}

}  // namespace
}  // namespace kommander::cluster
