// The system partition's state machine: deterministic, total, and set up once.
#include "cluster/system_state.hpp"

#include <optional>
#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "cluster/system_command.hpp"

namespace kommander::cluster {
namespace {

using Change = SystemState::Change;

constexpr LogIndex kIndex(7);
const std::vector<NodeId> kVoters{NodeId(1), NodeId(2), NodeId(3)};
const std::vector<RosterMember> kMembers{
    {NodeId(1), Incarnation(10)}, {NodeId(2), Incarnation()}, {NodeId(3), Incarnation()}};

SystemState Initialised() {
  SystemState state;
  REQUIRE(state.Apply(EncodeInitialise(kMembers, CutEvenly(4, kVoters)).bytes(), kIndex) ==
          Change::kInitialised);
  return state;
}

std::string Name(std::uint32_t number) { return "setting/" + std::to_string(number); }

// Mostly none: whatever it is.
std::optional<LogIndex> Version(std::uint32_t number) {
  return number < 10 ? std::optional(LogIndex(number)) : std::nullopt;
}

TEST_CASE("a new state knows nothing") {
  const SystemState state;
  CHECK(state.settings().empty());
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
  CHECK(state.Apply(second.bytes(), kIndex) == Change::kNone);
  CHECK(state == before);
}

TEST_CASE("a pin fills the empty pin of a member and nothing else") {
  SystemState state;
  CHECK(state.Apply(EncodePin(NodeId(2), Incarnation(20)).bytes(), kIndex) == Change::kNone);
  CHECK(state == SystemState());
  state = Initialised();
  const SystemState before = state;
  CHECK(state.Apply(EncodePin(NodeId(1), Incarnation(11)).bytes(), kIndex) == Change::kNone);
  CHECK(state.Apply(EncodePin(NodeId(4), Incarnation(40)).bytes(), kIndex) == Change::kNone);
  CHECK(state == before);
  CHECK(state.Apply(EncodePin(NodeId(2), Incarnation(20)).bytes(), kIndex) == Change::kPinned);
  CHECK(state.roster().PinOf(NodeId(2)) == Incarnation(20));
  CHECK(state.Apply(EncodePin(NodeId(2), Incarnation(21)).bytes(), kIndex) == Change::kNone);
  CHECK(state.roster().PinOf(NodeId(2)) == Incarnation(20));
  CHECK(state.roster().PinOf(NodeId(1)) == Incarnation(10));
  CHECK(state.partitions() == before.partitions());
}

TEST_CASE("a member is added once, without a pin, to a roster that is known") {
  SystemState state;
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes(), kIndex) == Change::kNone);
  CHECK(state == SystemState());
  state = Initialised();
  const SystemState before = state;
  CHECK(state.Apply(EncodeAddMember(NodeId(1)).bytes(), kIndex) == Change::kNone);
  CHECK(state == before);
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes(), kIndex) == Change::kMemberAdded);
  CHECK(state.roster().IsMember(NodeId(4)));
  CHECK(state.roster().PinOf(NodeId(4)) == Incarnation());
  CHECK(state.partitions() == before.partitions());
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes(), kIndex) == Change::kNone);
  CHECK(state.Apply(EncodePin(NodeId(4), Incarnation(40)).bytes(), kIndex) == Change::kPinned);
  CHECK(state.roster().PinOf(NodeId(4)) == Incarnation(40));
  CHECK(state.Apply(EncodeAddMember(NodeId(4)).bytes(), kIndex) == Change::kNone);
  CHECK(state.roster().PinOf(NodeId(4)) == Incarnation(40));
}

TEST_CASE("a setting has the index of its entry as its version, once the roster is known") {
  const Payload set = EncodeSetSetting("a", AsBytes("1"), {});
  SystemState state;
  CHECK(state.Apply(set.bytes(), kIndex) == Change::kNone);
  CHECK(state == SystemState());
  state = Initialised();
  CHECK(state.Apply(set.bytes(), LogIndex(8)) == Change::kSettingChanged);
  CHECK(state.settings() == std::vector{ClusterSetting("a", LogIndex(8), "1")});
  CHECK(state.partitions() == Initialised().partitions());
  const Payload again = EncodeSetSetting("a", {}, LogIndex(7));
  CHECK(state.Apply(again.bytes(), LogIndex(9)) == Change::kSettingIsAnother);
  CHECK(state.settings().front().version == LogIndex(8));
  CHECK(state.Apply(EncodeRemoveSetting("b", {}).bytes(), LogIndex(10)) == Change::kNone);
  CHECK(state.Apply(EncodeRemoveSetting("a", {}).bytes(), LogIndex(11)) == Change::kSettingChanged);
  CHECK(state == Initialised());
}

TEST_CASE("one setting more than there may be changes nothing, and says so") {
  SystemState state = Initialised();
  for (std::size_t i = 0; i < kClusterSettingsMax; ++i) {
    const Payload set = EncodeSetSetting("s" + std::to_string(i), {}, {});
    REQUIRE(state.Apply(set.bytes(), kIndex) == Change::kSettingChanged);
  }
  const SystemState before = state;
  CHECK(state.Apply(EncodeSetSetting("more", {}, {}).bytes(), kIndex) == Change::kTooManySettings);
  CHECK(state == before);
}

TEST_CASE("a state without settings is its initialise command, as it always was") {
  const SystemState state = Initialised();
  CHECK(state.Serialize() == EncodeInitialise(kMembers, CutEvenly(4, kVoters)));
  SystemState restored;
  REQUIRE(restored.Restore(state.Serialize().bytes()));
  CHECK(restored == state);
  REQUIRE(restored.Restore({}));
  CHECK(restored == SystemState());
}

TEST_CASE("a state with settings has exactly these bytes, and no fewer") {
  SystemState state;
  REQUIRE(state.Apply(EncodeInitialise({{NodeId(2), Incarnation(5)}}, {}).bytes(), kIndex) ==
          Change::kInitialised);
  const Payload set = EncodeSetSetting("ab", AsBytes("xyz"), {});
  REQUIRE(state.Apply(set.bytes(), LogIndex(0x0102)) == Change::kSettingChanged);
  const std::string expected(
      "\x01\x06"
      "\x16\x00\x00\x00"
      "\x01\x01\x01\x00\x00\x00\x02\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00"
      "\x01\x00\x00\x00"
      "\x02\x01\x00\x00\x00\x00\x00\x00\x02\x03\x00"
      "abxyz",
      48);
  CHECK(state.Serialize() == Payload(expected));
  SystemState restored = Initialised();
  for (std::size_t size = 1; size < expected.size(); ++size) {
    CHECK_FALSE(restored.Restore(AsBytes(expected).first(size)));
  }
  CHECK_FALSE(restored.Restore(AsBytes(expected + '\0')));
  CHECK(restored == Initialised());
  REQUIRE(restored.Restore(AsBytes(expected)));
  CHECK(restored == state);
  // It is no command: a log that has it changes nothing.
  CHECK(SystemState().Apply(AsBytes(expected), kIndex) == Change::kNone);
}

TEST_CASE("noise changes nothing") {
  SystemState state = Initialised();
  const SystemState before = state;
  CHECK(state.Apply({}, kIndex) == Change::kNone);
  CHECK(state.Apply(AsBytes("hello"), kIndex) == Change::kNone);
  CHECK(state.Apply(AsBytes(std::string_view("\x01\x09\x00", 3)), kIndex) == Change::kNone);
  const Payload pin = EncodePin(NodeId(2), Incarnation(20));
  CHECK(state.Apply(pin.bytes().first(pin.size() - 1), kIndex) == Change::kNone);
  CHECK(state == before);
}

TEST_CASE("a copy is a value of its own") {
  SystemState state = Initialised();
  const SystemState copy = state;
  REQUIRE(state.Apply(EncodePin(NodeId(2), Incarnation(20)).bytes(), kIndex) == Change::kPinned);
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
      const LogIndex index(static_cast<std::uint64_t>(step) + 1);
      switch (draw(8)) {
        case 0: command = EncodeInitialise(kMembers, CutEvenly(1 + draw(5), kVoters)); break;
        case 1: command = Payload("garbage"); break;
        case 2: command = EncodeAddMember(NodeId(draw(6))); break;
        case 3: command = EncodeSetSetting(Name(draw(4)), AsBytes("v"), Version(draw(40))); break;
        case 4: command = EncodeRemoveSetting(Name(draw(4)), Version(draw(40))); break;
        default: command = EncodePin(NodeId(draw(5)), Incarnation(draw(4)));
      }
      const SystemState before = one;
      const Change change = one.Apply(command.bytes(), index);
      REQUIRE(two.Apply(command.bytes(), index) == change);
      REQUIRE(one == two);
      REQUIRE(SystemState::IsChange(change) == !(one == before));
      SystemState restored;
      REQUIRE(restored.Restore(one.Serialize().bytes()));
      REQUIRE(restored == one);
    }
  }
}

}  // namespace
}  // namespace kommander::cluster
