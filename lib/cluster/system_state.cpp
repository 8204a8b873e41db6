#include "cluster/system_state.hpp"

#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "cluster/system_command.hpp"
#include "codec/little_endian.hpp"

namespace kommander::cluster {

namespace {

// A state with settings begins like a command, with a kind that no command has.
constexpr std::uint8_t kStateVersion = 1;
constexpr std::uint8_t kStateKind = 6;
constexpr std::size_t kStateHeaderBytes = 6;

SystemState::Change ToChange(Settings::Outcome outcome) noexcept {
  switch (outcome) {
    case Settings::Outcome::kChanged: return SystemState::Change::kSettingChanged;
    case Settings::Outcome::kUnchanged: return SystemState::Change::kNone;
    case Settings::Outcome::kTooMany: return SystemState::Change::kTooManySettings;
    case Settings::Outcome::kAnotherVersion: return SystemState::Change::kSettingIsAnother;
  }
  return SystemState::Change::kNone;
}

}  // namespace

SystemState::Change SystemState::Apply(ByteSpan command, LogIndex index) {
  std::optional<SystemCommand> decoded = DecodeSystemCommand(command);
  if (!decoded) return Change::kNone;
  if (const auto* pin = std::get_if<PinCommand>(&*decoded)) {
    return roster_.Pin(pin->node, pin->incarnation) ? Change::kPinned : Change::kNone;
  }
  if (const auto* add = std::get_if<AddMemberCommand>(&*decoded)) {
    return roster_.Add(add->node) ? Change::kMemberAdded : Change::kNone;
  }
  if (const auto* set = std::get_if<SetSettingCommand>(&*decoded)) {
    if (!roster_.IsKnown()) return Change::kNone;
    return ToChange(settings_.Set(set->name, set->value.bytes(), index, set->expected));
  }
  if (const auto* remove = std::get_if<RemoveSettingCommand>(&*decoded)) {
    return ToChange(settings_.Remove(remove->name, remove->expected));
  }
  // Two leaders may each have proposed one before the first was applied: the log's first counts.
  if (roster_.IsKnown()) return Change::kNone;
  auto& initialise = std::get<InitialiseCommand>(*decoded);
  roster_ = Roster(std::move(initialise.members));
  partitions_ = std::move(initialise.partitions);
  return Change::kInitialised;
}

Payload SystemState::Serialize() const {
  if (!roster_.IsKnown()) return {};
  const Payload initialise = EncodeInitialise(roster_.members(), partitions_);
  if (settings_.empty()) return initialise;
  const Payload settings = settings_.Serialize();
  const std::size_t size = kStateHeaderBytes + initialise.size() + settings.size();
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  codec::ByteWriter writer(buffer.get());
  writer.Put(kStateVersion);
  writer.Put(kStateKind);
  writer.Put(static_cast<std::uint32_t>(initialise.size()));
  writer.PutBytes(initialise.bytes());
  writer.PutBytes(settings.bytes());
  const ByteSpan bytes(buffer.get(), size);
  return Payload(std::shared_ptr<const void>(std::move(buffer)), bytes);
}

bool SystemState::Restore(ByteSpan bytes) {
  SystemState restored;
  codec::ByteReader reader(bytes);
  const bool has_settings =
      reader.Get<std::uint8_t>() == kStateVersion && reader.Get<std::uint8_t>() == kStateKind;
  ByteSpan initialise = bytes;
  if (has_settings) {
    const auto initialise_bytes = reader.Get<std::uint32_t>();
    initialise = reader.GetBytes(initialise_bytes);
    auto settings = Settings::Restore(reader.GetBytes(reader.remaining()));
    if (initialise.empty() || !settings || settings->empty()) return false;
    restored.settings_ = *std::move(settings);
  }
  if (!initialise.empty() && restored.Apply(initialise, LogIndex()) != Change::kInitialised) {
    return false;
  }
  *this = std::move(restored);
  return true;
}

}  // namespace kommander::cluster
