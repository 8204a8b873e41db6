// Hands one target, named by --target=NAME, to libFuzzer, which owns main() and skips arguments
// that begin with two dashes.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "target.hpp"

namespace {
const kommander::fuzz::Target* target = nullptr;
}

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  constexpr std::string_view kOption = "--target=";
  for (int i = 1; i < *argc; ++i) {
    const std::string_view argument = (*argv)[i];
    if (!argument.starts_with(kOption)) continue;
    target = kommander::fuzz::FindTarget(argument.substr(kOption.size()));
  }
  if (target != nullptr) return 0;
  std::fprintf(stderr, "--target=NAME must name one of:\n");
  for (const auto* known : kommander::fuzz::AllTargets()) {
    std::fprintf(stderr, "  %.*s\n", static_cast<int>(known->name.size()), known->name.data());
  }
  std::exit(2);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  target->run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}
