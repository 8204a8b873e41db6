// What a majority is, for one voter list and for joint configurations (thesis 4.3). The only place
// that counts voters: votes, commit, check-quorum and read index all come here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/ids.hpp>

#include "mutants/mutants.hpp"

namespace kommander::raft {

enum class Vote : std::uint8_t { kNone, kGranted, kRefused };
enum class VoteResult : std::uint8_t { kPending, kWon, kLost };

// The greatest value that a majority of `values` has reached; reorders them. None: no majority, 0.
[[nodiscard]] std::uint64_t MajorityValue(std::span<std::uint64_t> values) noexcept;

// How an election among `voters` members stands.
[[nodiscard]] VoteResult MajorityVote(std::size_t voters, std::size_t granted,
                                      std::size_t refused) noexcept;

// The worse of two results: both halves of a joint configuration must agree.
[[nodiscard]] VoteResult Both(VoteResult first, VoteResult second) noexcept;

namespace detail {

template <class ValueOf>
std::uint64_t ListValue(const std::vector<NodeId>& voters, ValueOf& value_of) {
  constexpr std::size_t kInline = 16;
  std::array<std::uint64_t, kInline> few;
  std::vector<std::uint64_t> many;
  if (voters.size() > kInline) many.resize(voters.size());
  const std::span<std::uint64_t> values =
      voters.size() > kInline ? std::span(many) : std::span(few).first(voters.size());
  for (std::size_t i = 0; i < voters.size(); ++i) values[i] = value_of(voters[i]);
  return MajorityValue(values);
}

template <class VoteOf>
VoteResult ListVote(const std::vector<NodeId>& voters, VoteOf& vote_of) {
  std::size_t granted = 0;
  std::size_t refused = 0;
  for (const NodeId voter : voters) {
    const Vote vote = vote_of(voter);
    granted += vote == Vote::kGranted ? 1u : 0u;
    refused += vote == Vote::kRefused ? 1u : 0u;
  }
  return MajorityVote(voters.size(), granted, refused);
}

}  // namespace detail

// The greatest value that a quorum of `configuration` has reached, `value_of(NodeId)` being each
// voter's. Works for indexes, round numbers and instants alike: all only grow.
template <class ValueOf>
std::uint64_t QuorumValue(const Configuration& configuration, ValueOf value_of) {
  const std::uint64_t incoming = detail::ListValue(configuration.voters, value_of);
  if (KOMMANDER_MUTANT(joint_commit_by_new_half) || !configuration.IsJoint()) return incoming;
  const std::uint64_t outgoing = detail::ListValue(configuration.outgoing_voters, value_of);
  return incoming < outgoing ? incoming : outgoing;
}

template <class VoteOf>
VoteResult QuorumVote(const Configuration& configuration, VoteOf vote_of) {
  const VoteResult incoming = detail::ListVote(configuration.voters, vote_of);
  if (KOMMANDER_MUTANT(joint_election_by_new_half) || !configuration.IsJoint()) return incoming;
  return Both(incoming, detail::ListVote(configuration.outgoing_voters, vote_of));
}

}  // namespace kommander::raft
