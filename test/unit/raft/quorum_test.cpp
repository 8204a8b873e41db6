// Majorities against brute force: every size to seven, joint configurations of every overlap.
#include "raft/quorum.hpp"

#include <algorithm>
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

// One election against the definition: open is what those who have not answered could still decide
// either way.
void Elect(const Configuration& configuration, std::uint32_t incoming, std::uint32_t outgoing,
           std::uint32_t granted, std::uint32_t refused) {
  const auto vote_of = [&](NodeId id) {
    if ((granted >> (id.value() - 1)) & 1u) return Vote::kGranted;
    return ((refused >> (id.value() - 1)) & 1u) != 0 ? Vote::kRefused : Vote::kNone;
  };
  const bool won = IsQuorum(incoming, outgoing, granted);
  const bool winnable = IsQuorum(incoming, outgoing, (incoming | outgoing) & ~refused);
  const VoteResult expected = won        ? VoteResult::kWon
                              : winnable ? VoteResult::kPending
                                         : VoteResult::kLost;
  if (QuorumVote(configuration, vote_of) != expected) {
    FAIL("incoming " << incoming << " outgoing " << outgoing << " granted " << granted
                     << " refused " << refused);
  }
}

// The first `granted` of `size` voters grant, the last `refused` refuse.
struct Part {
  std::uint32_t size = 0;
  std::uint32_t granted = 0;
  std::uint32_t refused = 0;
  // False: every way has been.
  bool Next() {
    if (granted + refused < size) {
      ++refused;
    } else if (granted < size) {
      ++granted;
      refused = 0;
    } else {
      return granted = refused = 0, false;
    }
    return true;
  }
};

// Every number of grants and refusals in each of the three parts of the voters; how many ways.
std::uint64_t ElectEveryWay(std::uint32_t incoming_only, std::uint32_t both,
                            std::uint32_t outgoing_only) {
  const auto mask = [](std::uint32_t count) { return (1u << count) - 1; };
  const std::uint32_t incoming = mask(incoming_only + both);
  const std::uint32_t outgoing = mask(both + outgoing_only) << incoming_only;
  const Configuration configuration(Members(incoming), {}, Members(outgoing));
  std::uint64_t ways = 0;
  Part a{incoming_only}, b{both}, c{outgoing_only};
  do {
    std::uint32_t granted = 0, refused = 0, first = 0;
    for (const Part& part : {a, b, c}) {
      granted |= mask(part.granted) << first;
      refused |= mask(part.refused) << (first + part.size - part.refused);
      first += part.size;
    }
    Elect(configuration, incoming, outgoing, granted, refused);
    ++ways;
  } while (a.Next() || b.Next() || c.Next());
  return ways;
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
  std::uint64_t elections = 0;
  // Both lists are given by how many vote in the incoming one only, in both, in the outgoing one
  // only. Within each of the three parts all voters are alike, so the numbers of grants and
  // refusals there are all that can differ.
  for (std::uint32_t incoming = 1; incoming <= 7; ++incoming) {
    for (std::uint32_t outgoing = 0; outgoing <= 7; ++outgoing) {
      for (std::uint32_t both = 0; both <= std::min(incoming, outgoing); ++both) {
        elections += ElectEveryWay(incoming - both, both, outgoing - both);
      }
    }
  }
  CHECK(elections == 75'098);  // nothing was left out
}

TEST_CASE("who votes how is told by the id, wherever it stands in the lists") {
  for (std::uint32_t incoming = 1; incoming < 32; ++incoming) {
    for (std::uint32_t outgoing = 0; outgoing < 32; ++outgoing) {
      const Configuration configuration(Members(incoming), {}, Members(outgoing));
      for (std::uint32_t granted = 0; granted < 32; ++granted) {
        for (std::uint32_t refused = 0; refused < 32; ++refused) {
          if ((granted & refused) == 0) Elect(configuration, incoming, outgoing, granted, refused);
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
