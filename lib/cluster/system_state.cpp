#include "cluster/system_state.hpp"

#include <optional>
#include <utility>
#include <variant>

#include "cluster/system_command.hpp"

namespace kommander::cluster {

SystemState::Change SystemState::Apply(ByteSpan command) {
  std::optional<SystemCommand> decoded = DecodeSystemCommand(command);
  if (!decoded) return Change::kNone;
  if (const auto* pin = std::get_if<PinCommand>(&*decoded)) {
    return roster_.Pin(pin->node, pin->incarnation) ? Change::kPinned : Change::kNone;
  }
  if (const auto* add = std::get_if<AddMemberCommand>(&*decoded)) {
    return roster_.Add(add->node) ? Change::kMemberAdded : Change::kNone;
  }
  // Two leaders may each have proposed one before the first was applied: the log's first counts.
  if (roster_.IsKnown()) return Change::kNone;
  auto& initialise = std::get<InitialiseCommand>(*decoded);
  roster_ = Roster(std::move(initialise.members));
  partitions_ = std::move(initialise.partitions);
  return Change::kInitialised;
}

}  // namespace kommander::cluster
