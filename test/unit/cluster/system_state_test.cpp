// The system partition's state machine: deterministic, total, and set up once.
#include "cluster/system_state.hpp"

#include <random>

#include "catch.hpp"
#include "cluster/system_command.hpp"

namespace kommander::cluster {
namespace {

using Change = SystemState::Change;

const std::vector<NodeId> kVoters{NodeId(1), NodeId(2), NodeId(3)};
const std::vector<RosterMember> kMembers{
    {NodeId(1), Incarnation(10)}, {NodeId(2), Incarnation()}, {NodeId(3), Incarnation()}};

SystemState Initialised() {
  SystemState state;
  REQUIRE(state.Apply(EncodeInitialise(kMembers, CutEvenly(4, kVoters)).bytes()) ==
          Change::kInitialised);
  return state;
}

TEST_CASE("a new state knows nothing") {
  const SystemState state;
  CHECK_FALSE(state.roster().IsKnown());
  CHECK(state.partitions().empty());
}

TEST_CASE("initialise sets roster and map, once") {
  SystemState state = Initialised();
  CHECK(state.roster() == Roster(kMembers));
  CHECK(state.partitions() == CutEvenly(4, kVoters));
  const SystemState before = state;
  const Payload second =
      EncodeInitialise({{NodeId(9), Incarnation(90)}}, CutEvenly(2, {NodeId(9)}));
  CHECK(state.Apply(second.bytes()) == Change::kNone);
  CHECK(state == before);
}

TEST_CASE("a pin fills the empty pin of a member and nothing else") {
  SystemState state;
  CHECK(state.Apply(EncodePin(NodeId(2), Incarnation(20)).bytes()) == Change::kNone);
  CHECK(state == SystemState());
  state = Initialised();
  const SystemState before = state;
  CHECK(state.Apply(EncodePin(NodeId(1), Incarnation(11)).bytes()) == Change::kNone);
  CHECK(state.Apply(EncodePin(NodeId(4), Incarnation(40)).bytes()) == Change::kNone);
  CHECK(state == before);
  CHECK(state.Apply(EncodePin(NodeId(2), Incarnation(20)).bytes()) == Change::kPinned);
  CHECK(state.roster().PinOf(NodeId(2)) == Incarnation(20));
  CHECK(state.Apply(EncodePin(NodeId(2), Incarnation(21)).bytes()) == Change::kNone);
  CHECK(state.roster().PinOf(NodeId(2)) == Incarnation(20));
  CHECK(state.roster().PinOf(NodeId(1)) == Incarnation(10));
  CHECK(state.partitions() == before.partitions());
}

TEST_CASE("a member is added once, without a pin, to a roster that is known") {
  SystemState state;
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes()) == Change::kNone);
  CHECK(state == SystemState());
  state = Initialised();
  const SystemState before = state;
  CHECK(state.Apply(EncodeAddMember(NodeId(1)).bytes()) == Change::kNone);
  CHECK(state == before);
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes()) == Change::kMemberAdded);
  CHECK(state.roster().IsMember(NodeId(4)));
  CHECK(state.roster().PinOf(NodeId(4)) == Incarnation());
  CHECK(state.partitions() == before.partitions());
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes()) == Change::kNone);
  CHECK(state.Apply(EncodePin(NodeId(4), Incarnation(40)).bytes()) == Change::kPinned);
  CHECK(state.roster().PinOf(NodeId(4)) == Incarnation(40));
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes()) == Change::kNone);
  CHECK(state.roster().PinOf(NodeId(4)) == Incarnation(40));
}

TEST_CASE("noise changes nothing") {
  SystemState state = Initialised();
  const SystemState before = state;
  CHECK(state.Apply({}) == Change::kNone);
  CHECK(state.Apply(AsBytes("hello")) == Change::kNone);
  CHECK(state.Apply(AsBytes(std::string_view("\x01\x09\x00", 3))) == Change::kNone);
  const Payload pin = EncodePin(NodeId(2), Incarnation(20));
  CHECK(state.Apply(pin.bytes().first(pin.size() - 1)) == Change::kNone);
  CHECK(state == before);
}

TEST_CASE("a copy is a value of its own") {
  SystemState state = Initialised();
  const SystemState copy = state;
  REQUIRE(state.Apply(EncodePin(NodeId(2), Incarnation(20)).bytes()) == Change::kPinned);
  CHECK(copy.roster().PinOf(NodeId(2)) == Incarnation());
}

TEST_CASE(
    "the same commands give the same state, and a change is reported exactly when there is one") {
  std::mt19937 engine(7);
  const auto draw = [&](std::uint32_t below) {
    return static_cast<std::uint32_t>(engine()) % below;
  };
  for (int run = 0; run < 50; ++run) {
    SystemState one;
    SystemState two;
    for (int step = 0; step < 40; ++step) {
      Payload command;
      switch (draw(5)) {
        case 0: command = EncodeInitialise(kMembers, CutEvenly(1 + draw(5), kVoters)); break;
        case 1: command = Payload("garbage"); break;
        case 2: command = EncodeAddMember(NodeId(draw(6))); break;
        default: command = EncodePin(NodeId(draw(5)), Incarnation(draw(4)));
      }
      const SystemState before = one;
      const Change change = one.Apply(command.bytes());
      REQUIRE(two.Apply(command.bytes()) == change);
      REQUIRE(one == two);
      REQUIRE((change == Change::kNone) == (one == before));
    }
  }
}

}  // namespace
}  // namespace kommander::cluster
