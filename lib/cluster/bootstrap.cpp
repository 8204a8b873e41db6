#include "cluster/bootstrap.hpp"

#define XXH_INLINE_ALL
#include <algorithm>
#include <cstddef>
#include <utility>
#include <xxhash.h>

#include "codec/little_endian.hpp"
#include "mutants/mutants.hpp"

namespace kommander::cluster {

std::uint64_t BootstrapDigest(const Configuration& initial) {
  const std::vector<NodeId>* lists[] = {&initial.voters, &initial.outgoing_voters,
                                        &initial.learners};
  std::size_t size = 0;
  for (const auto* list : lists) size += 4 + list->size() * 4;
  std::vector<std::byte> bytes(size);
  codec::ByteWriter writer(bytes.data());
  for (const auto* list : lists) {
    writer.Put(static_cast<std::uint32_t>(list->size()));
    for (NodeId node : *list) writer.Put(node.value());
  }
  return XXH3_64bits(bytes.data(), bytes.size());
}

BootstrapGate::BootstrapGate(NodeId self, Incarnation own, Configuration initial,
                             bool store_is_empty)
    : self_(self), own_(own), initial_(std::move(initial)) {
  const bool is_member = initial_.IsVoter(self_);
  if (is_member) in_favour_.push_back(self_);
  is_open_ = KOMMANDER_MUTANT(empty_store_votes_at_once) || !store_is_empty ||
             (is_member && initial_.voters.size() == 1);
}

void BootstrapGate::OnHello(const Hello& hello) {
  const auto& voters = initial_.voters;
  if (hello.node == self_ || !std::binary_search(voters.begin(), voters.end(), hello.node)) return;
  const bool knows_other = hello.known_incarnation && hello.known_incarnation != own_;
  std::erase(in_favour_, hello.node);
  if (!hello.knows_roster && !knows_other) in_favour_.push_back(hello.node);
  if (initial_.IsVoter(self_) && in_favour_.size() > voters.size() / 2) is_open_ = true;
}

}  // namespace kommander::cluster
