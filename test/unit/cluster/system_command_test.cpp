// Commands of the system partition: exact bytes, round trips, and a decoder that takes whatever
// comes without harm.
#include "cluster/system_command.hpp"

#include <cstring>
#include <random>
#include <string>

#include "catch.hpp"

namespace kommander::cluster {
namespace {

const std::vector<NodeId> kVoters{NodeId(1), NodeId(2), NodeId(3)};
const std::vector<RosterMember> kMembers{{NodeId(1), Incarnation(0x1122334455667788)},
                                         {NodeId(2), Incarnation()},
                                         {NodeId(3), Incarnation(9)}};

std::string Hex(ByteSpan bytes) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += kDigits[std::to_integer<unsigned>(byte) >> 4];
    text += kDigits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

std::vector<std::byte> Copy(const Payload& payload) {
  return {payload.bytes().begin(), payload.bytes().end()};
}

void PutWord(std::vector<std::byte>& bytes, std::size_t offset, std::uint32_t value) {
  for (std::size_t i = 0; i < 4; ++i) {
    bytes.at(offset + i) = static_cast<std::byte>(value >> (8 * i));
  }
}

// What is accepted must encode to what was read.
Payload EncodeAgain(const SystemCommand& command) {
  if (const auto* pin = std::get_if<PinCommand>(&command)) {
    return EncodePin(pin->node, pin->incarnation);
  }
  if (const auto* add = std::get_if<AddMemberCommand>(&command)) return EncodeAddMember(add->node);
  if (const auto* set = std::get_if<SetSettingCommand>(&command)) {
    return EncodeSetSetting(set->name, set->value.bytes(), set->expected);
  }
  if (const auto* remove = std::get_if<RemoveSettingCommand>(&command)) {
    return EncodeRemoveSetting(remove->name, remove->expected);
  }
  const auto& initialise = std::get<InitialiseCommand>(command);
  return EncodeInitialise(initialise.members, initialise.partitions);
}

TEST_CASE("a pin has exactly these bytes") {
  const Payload payload = EncodePin(NodeId(0x01020304), Incarnation(0x1122334455667788));
  CHECK(Hex(payload.bytes()) ==
        "0102"
        "04030201"
        "8877665544332211");
  const auto command = DecodeSystemCommand(payload.bytes());
  REQUIRE(command);
  CHECK(std::get<PinCommand>(*command).node == NodeId(0x01020304));
  CHECK(std::get<PinCommand>(*command).incarnation == Incarnation(0x1122334455667788));
}

TEST_CASE("an added member has exactly these bytes") {
  const Payload payload = EncodeAddMember(NodeId(0x01020304));
  CHECK(Hex(payload.bytes()) ==
        "0103"
        "04030201");
  const auto command = DecodeSystemCommand(payload.bytes());
  REQUIRE(command);
  CHECK(std::get<AddMemberCommand>(*command).node == NodeId(0x01020304));
}

TEST_CASE("a set setting has exactly these bytes") {
  const Payload payload = EncodeSetSetting("ab", AsBytes("xyz"), LogIndex(0x0102));
  CHECK(Hex(payload.bytes()) ==
        "0104"
        "0201000000000000"
        "02"
        "6162"
        "78797a");
  const auto command = DecodeSystemCommand(payload.bytes());
  REQUIRE(command);
  CHECK(std::get<SetSettingCommand>(*command).name == "ab");
  CHECK(std::get<SetSettingCommand>(*command).value == Payload("xyz"));
  CHECK(std::get<SetSettingCommand>(*command).expected == LogIndex(0x0102));
  const Payload any = EncodeSetSetting("a", {}, {});
  CHECK(Hex(any.bytes()) == "0104ffffffffffffffff0161");
  CHECK_FALSE(std::get<SetSettingCommand>(*DecodeSystemCommand(any.bytes())).expected);
}

TEST_CASE("a removed setting has exactly these bytes") {
  const Payload payload = EncodeRemoveSetting("ab", LogIndex());
  CHECK(Hex(payload.bytes()) ==
        "0105"
        "0000000000000000"
        "6162");
  const auto command = DecodeSystemCommand(payload.bytes());
  REQUIRE(command);
  CHECK(std::get<RemoveSettingCommand>(*command).name == "ab");
  CHECK(std::get<RemoveSettingCommand>(*command).expected == LogIndex());
  CHECK(Hex(EncodeRemoveSetting("a", {}).bytes()) == "0105ffffffffffffffff61");
}

TEST_CASE("only changes of settings that are not the library's are for callers to ask for") {
  CHECK(IsCallersCommand(EncodeSetSetting("a", {}, {}).bytes()));
  CHECK(IsCallersCommand(EncodeRemoveSetting("a", {}).bytes()));
  const Payload own = EncodeSetSetting("_a", {}, {});
  REQUIRE(DecodeSystemCommand(own.bytes()));
  CHECK_FALSE(IsCallersCommand(own.bytes()));
  CHECK_FALSE(IsCallersCommand(EncodeRemoveSetting("_a", {}).bytes()));
  CHECK_FALSE(IsCallersCommand(EncodePin(NodeId(1), Incarnation(2)).bytes()));
  CHECK_FALSE(IsCallersCommand(EncodeAddMember(NodeId(1)).bytes()));
  CHECK_FALSE(IsCallersCommand(EncodeInitialise(kMembers, {}).bytes()));
  CHECK_FALSE(IsCallersCommand(AsBytes("hello")));
}

TEST_CASE("a value has its bound, and may be empty") {
  const std::string most(kClusterSettingValueBytesMax, 'v');
  CHECK(DecodeSystemCommand(EncodeSetSetting("a", AsBytes(most), {}).bytes()));
  CHECK_FALSE(DecodeSystemCommand(EncodeSetSetting("a", AsBytes(most + 'v'), {}).bytes()));
  CHECK(DecodeSystemCommand(EncodeSetSetting("a", {}, {}).bytes()));
}

TEST_CASE("an initialise has exactly these bytes") {
  const Payload payload =
      EncodeInitialise({{NodeId(2), Incarnation(5)}}, CutEvenly(1, {NodeId(2)}));
  CHECK(Hex(payload.bytes()) ==
        "0101"
        "01000000"
        "02000000"
        "0500000000000000"
        "01000000"
        "01000000"
        "0100000000000000"
        "00000000"
        "ffffff7f"
        "01000000"
        "02000000");
  CHECK(payload.size() == InitialiseBytes(1, 1));
}

TEST_CASE("an initialise comes back as it was, sorted") {
  const std::uint32_t count = GENERATE(0u, 1u, 5u, 1000u);
  auto partitions = CutEvenly(count, kVoters);
  auto shuffled = partitions;
  auto members = kMembers;
  std::mt19937 random(count);
  std::shuffle(shuffled.begin(), shuffled.end(), random);
  for (auto& record : shuffled) std::shuffle(record.voters.begin(), record.voters.end(), random);
  std::swap(members[0], members[2]);
  const Payload payload = EncodeInitialise(members, shuffled);
  CHECK(payload.size() == InitialiseBytes(3, count));
  const auto command = DecodeSystemCommand(payload.bytes());
  REQUIRE(command);
  CHECK(std::get<InitialiseCommand>(*command).members == kMembers);
  CHECK(std::get<InitialiseCommand>(*command).partitions == partitions);
}

TEST_CASE("every shortened or lengthened command is refused") {
  const Payload payload =
      GENERATE(as<Payload>{}, EncodePin(NodeId(1), Incarnation(2)), EncodeAddMember(NodeId(1)),
               EncodeInitialise(kMembers, CutEvenly(3, kVoters)), EncodeInitialise(kMembers, {}));
  REQUIRE(DecodeSystemCommand(payload.bytes()));
  for (std::size_t size = 0; size < payload.size(); ++size) {
    CHECK_FALSE(DecodeSystemCommand(payload.bytes().first(size)));
  }
  auto longer = Copy(payload);
  longer.push_back(std::byte{0});
  CHECK_FALSE(DecodeSystemCommand(longer));
}

TEST_CASE("what a command may not say is refused") {
  auto pin = Copy(EncodePin(NodeId(1), Incarnation(2)));
  auto initialise = Copy(EncodeInitialise(kMembers, CutEvenly(2, kVoters)));
  REQUIRE(DecodeSystemCommand(initialise));
  constexpr std::size_t kFirstMember = 6;
  constexpr std::size_t kPartitionCount = kFirstMember + 3 * 12;
  constexpr std::size_t kFirstPartition = kPartitionCount + 4;
  constexpr std::size_t kFirstVoter = kFirstPartition + 24;
  std::vector<std::byte>* bytes = &initialise;
  SECTION("another version") { initialise[0] = std::byte{2}; }
  SECTION("version 0") { initialise[0] = std::byte{0}; }
  SECTION("another kind") { initialise[1] = std::byte{6}; }
  SECTION("kind 0") { initialise[1] = std::byte{0}; }
  SECTION("member 0") { PutWord(initialise, kFirstMember, 0); }
  SECTION("a member twice") { PutWord(initialise, kFirstMember, 2); }
  SECTION("members that descend") { PutWord(initialise, kFirstMember, 4); }
  SECTION("a lying number of members") { PutWord(initialise, 2, 0xffffffff); }
  SECTION("a lying number of partitions") { PutWord(initialise, kPartitionCount, 0xffffffff); }
  SECTION("a lying number of voters") { PutWord(initialise, kFirstPartition + 20, 0xffffffff); }
  SECTION("partition 0") { PutWord(initialise, kFirstPartition, 0); }
  SECTION("hash values left out") { PutWord(initialise, kFirstPartition + 12, 1); }
  SECTION("a voter who is no member") { PutWord(initialise, kFirstVoter + 8, 4); }
  SECTION("a pin of nobody") {
    PutWord(pin, 2, 0);
    bytes = &pin;
  }
  SECTION("a pin to nothing") {
    PutWord(pin, 6, 0);
    bytes = &pin;
  }
  SECTION("nobody is added") { initialise = Copy(EncodeAddMember(NodeId())); }
  SECTION("a setting without a name") { initialise = Copy(EncodeSetSetting("", {}, {})); }
  SECTION("a setting with another name") { initialise = Copy(EncodeSetSetting("a b", {}, {})); }
  SECTION("a name longer than it may be") {
    initialise = Copy(EncodeRemoveSetting(std::string(129, 'n'), {}));
  }
  SECTION("a lying length of a name") {
    initialise = Copy(EncodeSetSetting("ab", {}, {}));
    initialise[10] = std::byte{3};
  }
  SECTION("nobody belongs to the cluster") { initialise = Copy(EncodeInitialise({}, {})); }
  SECTION("a member given twice to the encoder") {
    initialise = Copy(EncodeInitialise({kMembers[0], kMembers[0]}, {}));
  }
  CHECK_FALSE(DecodeSystemCommand(*bytes));
}

TEST_CASE("whatever comes is refused, or is a command that encodes to the same bytes") {
  std::mt19937 random(20240607);
  std::size_t accepted = 0;
  const Payload seeds[] = {EncodePin(NodeId(7), Incarnation(70)),
                           EncodeAddMember(NodeId(7)),
                           EncodeSetSetting("limits/rate", AsBytes("100"), LogIndex(9)),
                           EncodeRemoveSetting("limits/rate", {}),
                           EncodeInitialise(kMembers, CutEvenly(2, kVoters)),
                           EncodeInitialise(kMembers, {})};
  for (int round = 0; round < 20'000; ++round) {
    auto bytes = Copy(seeds[random() % std::size(seeds)]);
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      const std::size_t at = random() % bytes.size();
      bytes[at] = static_cast<std::byte>(random());
    }
    if (random() % 4 == 0) bytes.resize(random() % (bytes.size() + 8));
    const auto command = DecodeSystemCommand(bytes);
    if (!command) continue;
    ++accepted;
    const Payload again = EncodeAgain(*command);
    REQUIRE(Hex(again.bytes()) == Hex(bytes));
  }
  CHECK(accepted > 100);  // incarnations are free: the mutations must have met both outcomes
}

}  // namespace
}  // namespace kommander::cluster
