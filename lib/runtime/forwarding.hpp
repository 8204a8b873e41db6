// Writes that a node hands to the partition's leader, and their answers back. Without a session one
// is sent at most once; with one it may be sent again, since its effect comes once.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include <kommander/messages.hpp>
#include <kommander/raft_manager.hpp>
#include <kommander/time.hpp>

#include "runtime/events.hpp"
#include "runtime/node_services.hpp"

namespace kommander::runtime {

// The answer that a forwarded write waits for, as the leader's operation: its completion is a
// message. Thread-safe as operations are.
class ForwardedOperation final : public detail::TypedOperation<ReplicateResult> {
 public:
  ForwardedOperation(std::shared_ptr<NodeServices> services, PartitionId partition, NodeId asker,
                     std::uint64_t number, Term term);
  void Invoke() override;

 private:
  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  const NodeId asker_;
  const std::uint64_t number_;
  const Term term_;
};

// What the leader makes of a request. None of it is believed that a caller could not have said:
// null for a kind or a type that is the library's own.
[[nodiscard]] std::optional<ProposeEvent> ToProposal(std::shared_ptr<NodeServices> services,
                                                     PartitionId partition, const Message& message,
                                                     Instant now);
// The other way.
[[nodiscard]] ForwardRequest ToRequest(const ProposeEvent& event, std::uint64_t number,
                                       Instant now);

}  // namespace kommander::runtime
