// Majorities against brute force: every size to seven, joint configurations of every overlap.
#include "raft/quorum.hpp"

#include <bit>
#include <map>

#include "catch.hpp"
#include "raft/random.hpp"

using namespace kommander;
using namespace kommander::raft;

namespace {

std::vector<NodeId> Members(std::uint32_t mask) {
  std::vector<NodeId> members;
  for (std::uint32_t id = 1; id <= 16; ++id) {
    if ((mask >> (id - 1)) & 1u) members.emplace_back(id);
  }
  return members;
}

// Is `who` (a bit set) a majority of the voters in `list` (another)? From the definition.
bool IsMajority(std::uint32_t list, std::uint32_t who) {
  return 2 * std::popcount(list & who) > std::popcount(list);
}

bool IsQuorum(std::uint32_t incoming, std::uint32_t outgoing, std::uint32_t who) {
  return IsMajority(incoming, who) && (outgoing == 0 || IsMajority(outgoing, who));
}

// The greatest value that the members of some quorum have all reached.
std::uint64_t SlowValue(std::uint32_t incoming, std::uint32_t outgoing,
                        const std::map<NodeId, std::uint64_t>& values) {
  std::uint64_t best = 0;
  for (const auto& [id, candidate] : values) {
    std::uint32_t reached = 0;
    for (const auto& [other, value] : values) {
      if (value >= candidate) reached |= 1u << (other.value() - 1);
    }
    if (IsQuorum(incoming, outgoing, reached)) best = std::max(best, candidate);
  }
  return best;
}

}  // namespace

TEST_CASE("the quorum value is what brute force finds, joint or not") {
  Random random(1);
  for (std::uint32_t incoming = 1; incoming < 128; ++incoming) {
    for (std::uint32_t outgoing = 0; outgoing < 128; ++outgoing) {
      const Configuration configuration(Members(incoming), {}, Members(outgoing));
      std::map<NodeId, std::uint64_t> values;
      for (const NodeId id : Members(127)) values[id] = random.Below(6);
      const auto value_of = [&](NodeId id) { return values.at(id); };
      REQUIRE(QuorumValue(configuration, value_of) == SlowValue(incoming, outgoing, values));
    }
  }
}

TEST_CASE("an election is won, lost or open exactly as its outcomes allow") {
  for (std::uint32_t size = 1; size <= 7; ++size) {
    const std::uint32_t all = (1u << size) - 1;
    for (std::uint32_t outgoing = 0; outgoing <= all; outgoing += size > 5 ? 5 : 1) {
      const Configuration configuration(Members(all), {}, Members(outgoing));
      for (std::uint32_t granted = 0; granted <= all; ++granted) {
        for (std::uint32_t refused = 0; refused <= all; ++refused) {
          if ((granted & refused) != 0) continue;
          const auto vote_of = [&](NodeId id) {
            if ((granted >> (id.value() - 1)) & 1u) return Vote::kGranted;
            return ((refused >> (id.value() - 1)) & 1u) != 0 ? Vote::kRefused : Vote::kNone;
          };
          // Open: those who have not answered could still decide it either way.
          const bool won = IsQuorum(all, outgoing, granted);
          const bool winnable = IsQuorum(all, outgoing, all & ~refused);
          const VoteResult expected = won        ? VoteResult::kWon
                                      : winnable ? VoteResult::kPending
                                                 : VoteResult::kLost;
          if (QuorumVote(configuration, vote_of) != expected) {
            FAIL("size " << size << " outgoing " << outgoing << " granted " << granted
                         << " refused " << refused);
          }
        }
      }
    }
  }
}

TEST_CASE("any two quorums of one configuration overlap, and those of neighbours in a change do") {
  for (std::uint32_t before = 1; before < 32; ++before) {
    for (std::uint32_t after = 1; after < 32; ++after) {
      for (std::uint32_t a = 1; a < 32; ++a) {
        if (!IsQuorum(before, after, a)) continue;
        for (std::uint32_t b = 1; b < 32; ++b) {
          if (IsQuorum(before, 0, b) || IsQuorum(after, 0, b)) REQUIRE((a & b) != 0);
        }
      }
    }
  }
}

TEST_CASE("large voter lists need no fixed size") {
  std::vector<NodeId> voters;
  for (std::uint32_t id = 1; id <= 101; ++id) voters.emplace_back(id);
  const Configuration configuration(voters);
  REQUIRE(QuorumValue(configuration, [](NodeId id) { return std::uint64_t{id.value()}; }) == 51);
}

TEST_CASE("nobody is a quorum of an empty voter list") {
  REQUIRE(QuorumValue(Configuration(), [](NodeId) { return std::uint64_t{9}; }) == 0);
  REQUIRE(QuorumVote(Configuration(), [](NodeId) { return Vote::kGranted; }) != VoteResult::kWon);
}
