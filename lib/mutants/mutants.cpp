// Which mutant is on. Compiled only with the option `mutants`.
#include "mutants/mutants.hpp"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace kommander::mutants {
namespace {

constexpr Description kAll[] = {
#define X(name, breaks, failure, what) {Mutant::name, #name, breaks, failure, what},
#include "mutants/list.inc"
#undef X
};

const Description* Find(std::string_view name) noexcept {
  const auto* found = std::find_if(std::begin(kAll), std::end(kAll),
                                   [&](const Description& known) { return known.name == name; });
  return found == std::end(kAll) ? nullptr : found;
}

Mutant FromEnvironment() {
  const char* name = std::getenv("KOMMANDER_MUTANT");
  if (name == nullptr || *name == '\0') return Mutant::none;
  const Description* found = Find(name);
  if (found == nullptr) throw std::invalid_argument("KOMMANDER_MUTANT: " + std::string(name));
  return found->mutant;
}

}  // namespace

Mutant chosen = FromEnvironment();

std::span<const Description> All() noexcept { return kAll; }

bool Choose(std::string_view name) noexcept {
  const Description* found = Find(name);
  if (found != nullptr) chosen = found->mutant;
  return found != nullptr;
}

}  // namespace kommander::mutants
