// The core among members that lie; see the harness.
#include <random>

#include "target.hpp"
#include "unit/raft/nonsense.hpp"

namespace kommander::fuzz {
namespace {

void Run(ByteSpan input) { raft::test::Nonsense(input).Run(); }

// Lives of moderate length; what they mean, only a run can tell.
std::vector<std::string> Seeds() {
  std::vector<std::string> seeds;
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    std::mt19937_64 random(seed);
    std::string& life = seeds.emplace_back(600, '\0');
    for (char& byte : life) byte = static_cast<char>(random());
  }
  return seeds;
}

}  // namespace

constexpr Target kRaftCoreTarget{"raft_core", &Run, &Seeds};

}  // namespace kommander::fuzz
