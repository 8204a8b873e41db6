#include "runtime/forwarding.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "codec/entry_body.hpp"
#include "raft/entry_bodies.hpp"

namespace kommander::runtime {
namespace {

// No caller waits longer (raft_configuration.hpp).
constexpr std::uint64_t kPatienceMsMax = 3'600'000;

bool MayForward(EntryKind kind) noexcept {
  return kind == EntryKind::kApplication || kind == EntryKind::kPrepared ||
         kind == EntryKind::kDecision || kind == EntryKind::kSession ||
         raft::HasSessionHeader(kind);
}

bool HasPayloads(EntryKind kind) noexcept {
  return kind != EntryKind::kDecision && kind != EntryKind::kSession;
}

// A change of a setting, which is an entry by itself.
bool IsCallersCommand(const NodeServices& services, PartitionId partition, EntryKind kind,
                      const std::vector<codec::DecodedBodyItem>& items) {
  return partition == kSystemPartition && kind == EntryKind::kApplication && items.size() == 1 &&
         items.front().type == services.system_type && services.is_callers_command != nullptr &&
         services.is_callers_command(items.front().data.bytes());
}

enum class Body : std::uint8_t { kCallers, kCommand, kForeign };

// Whether the body is one that a caller can have: payloads of the application's own types, or a
// command that is his to give.
Body JudgeBody(const NodeServices& services, PartitionId partition, EntryKind kind,
               const Payload& body) {
  const auto whether = [](bool is_right) { return is_right ? Body::kCallers : Body::kForeign; };
  if (kind == EntryKind::kDecision) return whether(raft::DecodeDecision(body.bytes()).has_value());
  if (kind == EntryKind::kSession) {
    // Only a leader closes one for its silence.
    const auto session = raft::DecodeSession(body.bytes());
    return whether(session &&
                   (!session->closed || session->used_to == raft::SessionBody::kWhenever));
  }
  const Entry entry(Term(), LogIndex(), kind, Ticket(), body);
  std::vector<codec::DecodedBodyItem> items;
  if (!codec::DecodeEntryBody(raft::PayloadsOf(entry), items) || items.empty()) {
    return Body::kForeign;
  }
  if (IsCallersCommand(services, partition, kind, items)) return Body::kCommand;
  return whether(std::none_of(items.begin(), items.end(), [&](const codec::DecodedBodyItem& item) {
    return item.type == services.system_type;
  }));
}

}  // namespace

ForwardedOperation::ForwardedOperation(std::shared_ptr<NodeServices> services,
                                       PartitionId partition, NodeId asker, std::uint64_t number,
                                       Term term)
    : TypedOperation<ReplicateResult>(services->executor),
      services_(std::move(services)),
      partition_(partition),
      asker_(asker),
      number_(number),
      term_(term) {}

void ForwardedOperation::Invoke() {
  ForwardReply reply;
  reply.number = number_;
  // Errors of the library alone are told as they are; of others nothing is known there.
  const bool is_ours = error.category() == RaftCategory();
  if (error) {
    reply.error = static_cast<std::uint32_t>(is_ours ? error.value()
                                                     : static_cast<int>(RaftErrc::OutcomeUnknown));
  }
  reply.leader = result.leader;
  reply.ticket = result.ticket;
  reply.index = result.index;
  reply.term = result.term;
  reply.count = result.count;
  ReleaseWork();
  Message message(partition_, services_->configuration.id(), asker_, term_, reply);
  message.stamp = services_->hybrid_clock.Now(services_->clock->WallMilliseconds());
  services_->transport->Send(std::move(message));
}

std::optional<ProposeEvent> ToProposal(std::shared_ptr<NodeServices> services,
                                       PartitionId partition, const Message& message, Instant now) {
  const auto& request = std::get<ForwardRequest>(message.body);
  if (!MayForward(request.kind)) return std::nullopt;
  const Body body = JudgeBody(*services, partition, request.kind, request.body);
  if (body == Body::kForeign) return std::nullopt;
  ProposeEvent event;
  event.is_judged = body == Body::kCommand;
  event.kind = request.kind;
  event.body = request.body;
  if (HasPayloads(request.kind)) {
    event.count =
        raft::PayloadCountOf(Entry(Term(), LogIndex(), request.kind, Ticket(), request.body));
  }
  event.deadline = now + std::chrono::milliseconds(std::min(request.patience_ms, kPatienceMsMax));
  event.expected_generation = request.expected_generation;
  event.await_apply = request.await_apply;
  event.operation = std::make_shared<ForwardedOperation>(
      std::move(services), partition, message.from, request.number, message.term);
  return event;
}

ForwardRequest ToRequest(const ProposeEvent& event, std::uint64_t number, Instant now) {
  ForwardRequest request;
  request.number = number;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::max(event.deadline - now, Duration::zero()));
  request.patience_ms = event.deadline == kNever
                            ? kPatienceMsMax
                            : std::min(static_cast<std::uint64_t>(left.count()), kPatienceMsMax);
  request.expected_generation = event.expected_generation;
  request.kind = event.kind;
  request.await_apply = event.await_apply;
  request.body = event.body;
  return request;
}

}  // namespace kommander::runtime
