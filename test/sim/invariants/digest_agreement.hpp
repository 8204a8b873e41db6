// Equal applied indexes mean equal digests, on every node and in every life: the pair is published
// atomically and the digest covers every entry.
#pragma once

#include <map>
#include <unordered_map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class DigestAgreement final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "digest agreement"; }
  void OnStatus(NodeId node, const PartitionStatus& before, const PartitionStatus& now) override {
    if (now.applied == before.applied && now.digest == before.digest) return;
    if (now.applied > before.applied && now.digest == before.digest) {
      Violate(Place(node, now.partition) + ": the digest at applied " + Text(now.applied) +
              " is still that of " + Text(before.applied));
    }
    const auto [place, is_new] =
        digests_[now.partition].try_emplace(now.applied.value(), now.digest);
    if (is_new || place->second == now.digest) return;
    Violate(Place(node, now.partition) + ": the digest at applied " + Text(now.applied) +
            " differs from another node's");
  }

 private:
  std::map<PartitionId, std::unordered_map<std::uint64_t, std::uint64_t>> digests_;
};

}  // namespace kommander::sim
