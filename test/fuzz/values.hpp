// Values that more than one target builds from choices.
#pragma once

#include <kommander/messages.hpp>

#include "choices.hpp"

namespace kommander::fuzz {

// Of any kind, with anything in its fields.
[[nodiscard]] MessageBody ChooseBody(Choices& choices);

}  // namespace kommander::fuzz
