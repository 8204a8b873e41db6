// A ticket belongs to one proposal, and is committed or rolled back, never both, whoever asks and
// however often; what is delivered of it is delivered whole, at the place that every answer names,
// and nothing of one that was rolled back or never accepted.
#pragma once

#include <map>
#include <optional>
#include <unordered_map>

#include "invariants/invariant.hpp"

namespace kommander::sim {

class TicketsSettledOnce final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "tickets are settled once"; }
  void OnLifeBegan(NodeId node) override {
    std::erase_if(open_, [&](const auto& open) { return open.first.first == node; });
  }
  void OnStateReplaced(NodeId node, PartitionId partition, std::size_t) override {
    open_.erase({node, partition});
  }
  void OnBegan(const ClientOperation& operation) override {
    if (operation.kind == OperationKind::kPrepare) {
      proposals_[operation.id].count = operation.count;
    }
  }
  void OnEnded(const ClientOperation& operation) override {
    if (operation.end != OperationEnd::kAnswered) return;
    if (operation.kind == OperationKind::kPrepare) Prepared(operation);
    if (operation.kind == OperationKind::kDecide) Decided(operation);
  }
  void OnDelivered(NodeId node, const RaftLog& log, bool) override {
    RequireWhole(node, log);
    const auto id = OperationOf(log);
    if (!id || log.type() != kPreparedType) return;
    Proposal& proposal = proposals_[*id];
    if (proposal.refused) Complain(*id, "was refused without effect and is delivered");
    if (proposal.rolled_back) Complain(*id, "was rolled back and is delivered");
    if (proposal.place && *proposal.place != log.index()) {
      Complain(*id, "is committed at " + Text(*proposal.place) + " and at " + Text(log.index()));
    }
    proposal.place = log.index();
  }

 private:
  struct Proposal {
    std::uint32_t count = 0;
    bool refused = false;
    bool rolled_back = false;
    std::optional<LogIndex> place;  // of its commit
  };
  // Of a node and partition: the proposal that is being delivered.
  struct Delivery {
    std::uint64_t proposal = 0;
    LogIndex index;
    std::uint32_t ordinals = 0;
  };

  void Prepared(const ClientOperation& operation) {
    Proposal& proposal = proposals_[operation.id];
    if (operation.error) {
      proposal.refused = !IsOutcomeUnknown(operation.error);
      if (proposal.refused && proposal.place) {
        Complain(operation.id, "was refused without effect and has been delivered");
      }
      return;
    }
    const auto key = std::pair(operation.partition, operation.ticket);
    const auto [owner, is_new] = owners_.try_emplace(key, operation.id);
    if (!is_new && owner->second != operation.id) {
      Complain(operation.id, "has the ticket of " + std::to_string(owner->second));
    }
  }
  void Decided(const ClientOperation& operation) {
    Proposal& proposal = proposals_[operation.subject];
    // The other way was first.
    const bool is_opposite = operation.error == RaftErrc::AlreadySettled;
    if (operation.error && !is_opposite) return;
    const bool is_committed = operation.commits != is_opposite;
    if (!is_committed) {
      proposal.rolled_back = true;
      if (proposal.place) Complain(operation.subject, "is committed and was rolled back");
      return;
    }
    if (proposal.rolled_back) Complain(operation.subject, "was rolled back and is committed");
    if (is_opposite) return;
    if (proposal.place && *proposal.place != operation.index) {
      Complain(operation.subject, "is committed at " + Text(*proposal.place) +
                                      " and, as answered, at " + Text(operation.index));
    }
    proposal.place = operation.index;
  }
  void RequireWhole(NodeId node, const RaftLog& log) {
    const auto found = open_.find({node, log.partition()});
    if (found != open_.end() && found->second.index != log.index()) {
      const Delivery& last = found->second;
      const std::uint32_t count = proposals_[last.proposal].count;
      if (last.ordinals != count) {
        Complain(last.proposal, "has " + std::to_string(count) + " payloads, and node " +
                                    Text(node) + " delivers " + std::to_string(last.ordinals));
      }
      open_.erase(found);
    }
    const auto id = OperationOf(log);
    if (!id || log.type() != kPreparedType) return;
    Delivery& delivery = open_[{node, log.partition()}];
    delivery.proposal = *id;
    delivery.index = log.index();
    ++delivery.ordinals;
  }
  void Complain(std::uint64_t proposal, const std::string& what) const {
    Violate("proposal " + std::to_string(proposal) + " " + what);
  }

  std::unordered_map<std::uint64_t, Proposal> proposals_;
  std::map<std::pair<PartitionId, Ticket>, std::uint64_t> owners_;
  std::map<std::pair<NodeId, PartitionId>, Delivery> open_;
};

}  // namespace kommander::sim
