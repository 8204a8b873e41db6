// How a partition hands its callers' writes to the leader, and takes those of other nodes.
#include <algorithm>
#include <memory>
#include <utility>

#include "mutants/mutants.hpp"
#include "runtime/forwarding.hpp"
#include "runtime/partition_actor.hpp"

namespace kommander::runtime {

// False: this node leads, or knows nobody who does, and the write takes the usual way.
bool PartitionActor::Forward(ProposeEvent& event) {
  const NodeId leader = announced_leader_;
  const bool is_elsewhere = leader && leader != services_->configuration.id() && !stopping_;
  if (!is_elsewhere || event.first || core_.Status().role == raft::RoleKind::kLeader) return false;
  Waiter waiter;
  waiter.kind = event.waits_as;
  waiter.count = event.count;
  waiter.is_prepared = raft::IsPrepared(event.kind);
  waiter.deadline = event.deadline;
  waiter.operation = event.operation;
  // Until it is answered; the mailbox has admitted it, and lets its bytes go after this burst.
  waiter.held = ByteShare(services_->budget, event.body.size());
  raft::RequestId request;
  if (!Accept(std::move(waiter), request)) return true;
  event.operation = nullptr;
  if (!raft::HasSessionHeader(event.kind) && !KOMMANDER_MUTANT(forwarded_write_sent_twice)) {
    SendForward(request, event, leader);
    return true;
  }
  const auto again = std::make_shared<ProposeEvent>(std::move(event));
  waiters_.Find(request)->resend = again;
  SendForward(request, *again, leader);
  return true;
}

void PartitionActor::SendForward(raft::RequestId request, const ProposeEvent& event,
                                 NodeId leader) {
  has_forwarded_.store(true);
  waiters_.AwaitForward(request, leader);
  Waiter& waiter = *waiters_.Find(request);
  if (waiter.resend != nullptr) {
    // No link tells what it has lost. Less often to a leader that is slow to answer.
    ResendAfter(waiter, waiter.sendings * 6 * services_->configuration.heartbeat_interval());
  }
  Message message;
  message.partition = partition_;
  message.from = services_->configuration.id();
  message.to = leader;
  message.term = core_.Status().term;
  const std::uint64_t number = forward_numbers_.Begin(
      request, [this](raft::RequestId open) { return waiters_.Find(open) != nullptr; });
  message.body = ToRequest(event, number, services_->clock->Now());
  Send(std::move(message));
}

// At the leader, or at who was it: then the write is refused like any other, with a hint.
void PartitionActor::TakeForwarded(const Message& message) {
  const std::uint64_t number = std::get<ForwardRequest>(message.body).number;
  if (!forward_windows_.Admit(message.from, number)) return;
  const auto proposal = ToProposal(services_, partition_, message, services_->clock->Now());
  if (!proposal) return;
  ProposeEvent event = *proposal;
  Take(event);
}

void PartitionActor::TakeForwardReply(const ForwardReply& reply) {
  const auto asked = forward_numbers_.End(reply.number);
  if (!asked) return;
  const raft::RequestId request = *asked;
  Waiter* waiter = waiters_.Find(request);
  if (waiter == nullptr || waiter->stage != Waiter::Stage::kForward) return;
  const error_code error =
      reply.error == 0 ? error_code() : error_code(static_cast<RaftErrc>(reply.error));
  // It had no effect there: with a session it is for the next leader.
  if (error == RaftErrc::NodeIsNotLeader && waiter->resend != nullptr) {
    --waiter->sendings;
    return ResendSoon(*waiter);
  }
  waiter->ticket = reply.ticket;
  waiter->index = reply.index;
  waiter->term = reply.term;
  if (reply.count != 0) waiter->count = reply.count;
  waiters_.FinishWrite(request, error, reply.leader);
}

// What went to the peer may have arrived, and its answers may be lost.
void PartitionActor::LoseForwards(NodeId peer) {
  for (const raft::RequestId request : waiters_.ForwardedTo(peer)) {
    Waiter& waiter = *waiters_.Find(request);
    if (waiter.resend != nullptr) {
      ResendSoon(waiter);
    } else if (!KOMMANDER_MUTANT(lost_forward_waited_for)) {
      waiters_.Fail(request, RaftErrc::OutcomeUnknown, announced_leader_);
    }
  }
}

// To another leader as soon as one is known, or after a while to the same one.
void PartitionActor::ResendSoon(Waiter& waiter) {
  ResendAfter(waiter, 2 * services_->configuration.heartbeat_interval());
}

void PartitionActor::ResendAfter(Waiter& waiter, Duration pause) {
  waiter.resend_at = services_->clock->Now() + pause;
  resend_at_ = std::min(resend_at_, waiter.resend_at);
}

// Another leader is known, and all are for it; or it is time for some.
void PartitionActor::ResendForwards(bool all) {
  const Instant now = services_->clock->Now();
  const NodeId leader = announced_leader_;
  bool has_taken = false;
  for (const raft::RequestId request : waiters_.Resendable(all ? kNever : now)) {
    Waiter& waiter = *waiters_.Find(request);
    if (leader == services_->configuration.id()) {
      has_taken = true;
      ProposeEvent event = std::move(*waiter.resend);
      event.sendings = waiter.sendings;
      event.operation = waiters_.Release(request);
      event.forward = false;
      Take(event);
    } else if (leader) {
      SendForward(request, *waiter.resend, leader);
    } else if (waiter.resend_at <= now) {
      ResendSoon(waiter);
    }
  }
  resend_at_ = waiters_.EarliestResend();
  // What was taken here, or refused, is for the next burst.
  if (has_taken) (void)mailbox_.PushControl(TimerEvent{});
}

}  // namespace kommander::runtime
