// What every invariant is: a listener that keeps what it must remember and says when a promise is
// broken. Each is cheap per event and knows nothing of the code under test beyond its public words.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <kommander/raft_log.hpp>
#include <kommander/status.hpp>

#include "facts.hpp"
#include "history.hpp"
#include "observer.hpp"

namespace kommander::sim {

class Invariant : public Observer {
 public:
  using Report = std::function<void(std::string_view invariant, std::string what)>;

  [[nodiscard]] virtual std::string_view name() const noexcept = 0;
  // The facts outlive the invariant and know of every event before it is told.
  void Attach(const Facts& facts, Report report) {
    facts_ = &facts;
    report_ = std::move(report);
  }

  // A process of the node starts.
  virtual void OnLifeBegan(NodeId /*node*/) {}
  // The public status of a partition differs from what it was after the previous step of the node.
  virtual void OnStatus(NodeId /*node*/, const PartitionStatus& /*before*/,
                        const PartitionStatus& /*now*/) {}
  // A handler of the application was called.
  virtual void OnDelivered(NodeId /*node*/, const RaftLog& /*log*/, bool /*restored*/) {}
  // The node's state is now that of the first `count` deliveries; the next one follows them.
  virtual void OnStateReplaced(NodeId /*node*/, PartitionId /*partition*/, std::size_t /*count*/) {}
  // A client's call begins, and is answered.
  virtual void OnBegan(const ClientOperation& /*operation*/) {}
  virtual void OnEnded(const ClientOperation& /*operation*/) {}
  // The same operation was answered again.
  virtual void OnEndedAgain(const ClientOperation& /*operation*/) {}
  // An open operation is owed an answer since its due time.
  virtual void OnOverdue(const ClientOperation& /*operation*/) {}
  // Nothing more comes.
  virtual void OnRunEnded() {}

 protected:
  [[nodiscard]] const Facts& facts() const noexcept { return *facts_; }
  void Violate(std::string what) const { report_(name(), std::move(what)); }
  // "node 2, partition 1"
  static std::string Place(NodeId node, PartitionId partition) {
    return std::string("node ")
        .append(std::to_string(node.value()))
        .append(", partition ")
        .append(std::to_string(partition.value()));
  }
  template <class Id>
  static std::string Text(Id id) {
    return std::to_string(id.value());
  }

 private:
  const Facts* facts_ = nullptr;
  Report report_;
};

}  // namespace kommander::sim
