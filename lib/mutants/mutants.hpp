// Deliberate defects, for a build whose only purpose is to prove that the tests notice them (see
// docs/testing.md). With -Dmutants=true every defect of list.inc is in the program and at most one
// is switched on; without it the hook is the constant false and nothing of this remains.
#pragma once

#ifndef KOMMANDER_MUTANTS
#define KOMMANDER_MUTANT(name) false
#else

#include <cstdint>
#include <span>
#include <string_view>

namespace kommander::mutants {

enum class Mutant : std::uint8_t {
  none,
#define X(name, breaks, failure, what) name,
#include "mutants/list.inc"
#undef X
};

struct Description {
  Mutant mutant;
  std::string_view name;
  std::string_view breaks;   // the part of the protocol, as docs/testing.md groups them
  std::string_view failure;  // the class of failures that it stands for
  std::string_view what;
};

// The one that is on, for the whole process: the environment's KOMMANDER_MUTANT, unless Choose came
// later. An unknown name there ends the program before it has tested anything.
extern Mutant chosen;

[[nodiscard]] std::span<const Description> All() noexcept;
// False: there is none of that name.
[[nodiscard]] bool Choose(std::string_view name) noexcept;

}  // namespace kommander::mutants

#define KOMMANDER_MUTANT(name) (::kommander::mutants::chosen == ::kommander::mutants::Mutant::name)

#endif
