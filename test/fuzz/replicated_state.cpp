// What nodes tell each other through the log, and what a node tells itself: configurations, the
// ledger, the commands of the system partition, pins.
#include "choices.hpp"
#include "cluster/system_command.hpp"
#include "cluster/system_state.hpp"
#include "manager/store.hpp"
#include "raft/ledger.hpp"
#include "raft/membership.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

// --- Configurations and the ledger ---

void CheckChange(const Configuration& current, const Configuration& target) {
  if (!raft::IsValidTarget(target) || !raft::IsValidTarget(current)) return;
  const Configuration first = raft::FirstStep(current, target);
  FUZZ_REQUIRE((first.IsJoint() ? raft::LeaveJoint(first) : first) == target);
  FUZZ_REQUIRE(raft::DecodeConfiguration(raft::EncodeConfiguration(first).bytes()) == first);
}

void RunConfiguration(ByteSpan input) {
  Choices choices(input);
  switch (choices.Below(3)) {
    case 0: {
      const ByteSpan bytes = choices.rest();
      const auto configuration = raft::DecodeConfiguration(bytes);
      if (!configuration) return;
      FUZZ_REQUIRE(raft::EncodeConfiguration(*configuration) == Payload(bytes));
      FUZZ_REQUIRE(Configuration(configuration->voters, configuration->learners,
                                 configuration->outgoing_voters) == *configuration);
      return;
    }
    case 1: {
      const Configuration current = choices.Configuration();
      const auto decoded = raft::DecodeConfiguration(raft::EncodeConfiguration(current).bytes());
      FUZZ_REQUIRE(current.Contains(NodeId()) ? !decoded : decoded == current);
      return CheckChange(current, choices.Configuration());
    }
    default: {
      raft::Ledger ledger;
      const ByteSpan bytes = choices.rest();
      if (!ledger.Restore(bytes)) return;
      raft::Ledger again;
      FUZZ_REQUIRE(again.Restore(ledger.Serialize().bytes()));
      FUZZ_REQUIRE(bytes.empty() || ledger.Serialize() == Payload(bytes));
    }
  }
}

std::vector<std::string> ConfigurationSeeds() {
  const Configuration joint({NodeId(1), NodeId(2)}, {NodeId(4)}, {NodeId(1), NodeId(3)});
  return {'\0' + std::string(raft::EncodeConfiguration(joint).text()),
          {1, 2, 1, 2, 1, 4, 0, 3, 1, 2, 3, 0, 0},
          {2, 1},
          {2}};
}

// --- The system partition ---

Payload Encode(const cluster::SystemCommand& command) {
  if (const auto* pin = std::get_if<cluster::PinCommand>(&command)) {
    return cluster::EncodePin(pin->node, pin->incarnation);
  }
  if (const auto* added = std::get_if<cluster::AddMemberCommand>(&command)) {
    return cluster::EncodeAddMember(added->node);
  }
  if (const auto* set = std::get_if<cluster::SetSettingCommand>(&command)) {
    return cluster::EncodeSetSetting(set->name, set->value.bytes(), set->expected);
  }
  if (const auto* removed = std::get_if<cluster::RemoveSettingCommand>(&command)) {
    return cluster::EncodeRemoveSetting(removed->name, removed->expected);
  }
  const auto& initialise = std::get<cluster::InitialiseCommand>(command);
  return cluster::EncodeInitialise(initialise.members, initialise.partitions);
}

Payload ChooseCommand(Choices& choices) {
  if (choices.Coin()) {
    const NodeId node(choices.Number32());
    return cluster::EncodePin(node, Incarnation(choices.Number()));
  }
  std::vector<cluster::RosterMember> members;
  for (std::size_t left = choices.Below(8); left != 0; --left) {
    const NodeId node(choices.Number32());
    members.emplace_back(node, Incarnation(choices.Number()));
  }
  std::vector<NodeId> voters;
  for (const auto& member : members) {
    if (choices.Coin()) voters.push_back(member.node);
  }
  auto partitions = cluster::CutEvenly(static_cast<std::uint32_t>(choices.Below(5)), voters);
  return cluster::EncodeInitialise(members, partitions);
}

// A state that was taken over is what its bytes say, and goes on like any other.
void RunSystemState(ByteSpan bytes) {
  cluster::SystemState state;
  if (!state.Restore(bytes)) {
    FUZZ_REQUIRE(state == cluster::SystemState());
    return;
  }
  FUZZ_REQUIRE(state.Serialize() == Payload(bytes));
  const cluster::SystemState before = state;
  const Payload set = cluster::EncodeSetSetting("fuzz", {}, LogIndex());
  const auto change = state.Apply(set.bytes(), LogIndex(1));
  FUZZ_REQUIRE(cluster::SystemState::IsChange(change) == !(state == before));
}

void RunSystemCommand(ByteSpan input) {
  RunSystemState(input);
  Choices choices(input);
  const Payload bytes = choices.Coin() ? ChooseCommand(choices) : Payload(choices.rest());
  const auto command = cluster::DecodeSystemCommand(bytes.bytes());
  if (!command) return;
  FUZZ_REQUIRE(Encode(*command) == bytes);
}

std::vector<std::string> SystemCommandSeeds() {
  const std::vector<NodeId> voters{NodeId(1), NodeId(2), NodeId(3)};
  std::vector<cluster::RosterMember> members;
  for (const NodeId node : voters) members.emplace_back(node, Incarnation(node.value() * 11));
  std::vector<std::string> seeds;
  for (std::uint32_t partitions = 0; partitions < 3; ++partitions) {
    const auto map = cluster::CutEvenly(partitions, voters);
    seeds.push_back('\0' + std::string(cluster::EncodeInitialise(members, map).text()));
  }
  seeds.push_back('\0' + std::string(cluster::EncodePin(NodeId(2), Incarnation(9)).text()));
  const Payload set = cluster::EncodeSetSetting("limits/rate", AsBytes("100"), {});
  seeds.push_back('\0' + std::string(set.text()));
  const Payload removed = cluster::EncodeRemoveSetting("limits/rate", LogIndex(9));
  seeds.push_back('\0' + std::string(removed.text()));
  cluster::SystemState state;
  state.Apply(cluster::EncodeInitialise(members, {}).bytes(), LogIndex(1));
  state.Apply(set.bytes(), LogIndex(2));
  seeds.emplace_back(state.Serialize().text());
  seeds.push_back({1, 0, 3, 1, 11, 2, 22, 3, 33, 1, 1, 1, 2});
  seeds.push_back({1, 1, 2, 9});
  return seeds;
}

// --- Pins ---

void RunPins(ByteSpan input) {
  Choices choices(input);
  Pins pins;
  if (choices.Coin()) {
    Pins chosen;
    while (!choices.AtEnd()) {
      const NodeId node(choices.Number32());
      chosen[node] = Incarnation(choices.Number());
    }
    FUZZ_REQUIRE(DecodePins(EncodePins(chosen).bytes(), pins) && pins == chosen);
  } else if (DecodePins(choices.rest(), pins)) {
    FUZZ_REQUIRE(EncodePins(pins) == Payload(choices.rest()));
  }
}

std::vector<std::string> PinsSeeds() {
  std::vector<std::string> seeds{{1, 1, 11, 2, 22}};
  Pins pins;
  for (std::uint32_t node = 1; node < 4; ++node) {
    seeds.push_back('\0' + std::string(EncodePins(pins).text()));
    pins[NodeId(node)] = Incarnation(node * 11);
  }
  return seeds;
}

}  // namespace

constexpr Target kConfigurationTarget{"configuration", &RunConfiguration, &ConfigurationSeeds};
constexpr Target kSystemCommandTarget{"system_command", &RunSystemCommand, &SystemCommandSeeds};
constexpr Target kPinsTarget{"pins", &RunPins, &PinsSeeds};

}  // namespace kommander::fuzz
