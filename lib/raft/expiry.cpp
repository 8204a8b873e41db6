// What a leader decides because nobody else did: tickets that stay open and sessions that stay
// silent. It proposes like any caller, and the ledger judges, so what it saw is of no weight: the
// time is counted from when this leader saw it first.
#include <algorithm>

#include "raft/core_impl.hpp"

namespace kommander::raft {

void Core::Impl::WatchTicket(Leader& leader, const Ticket& ticket) {
  if (options_.ticket_timeout == kUnlimited) return;
  // Those that were decided need not be watched until their time.
  if (leader.open_tickets.size() >= 2 * kOpenTicketsMax) {
    for (std::size_t left = leader.open_tickets.size(); left > 0; --left) {
      const TicketWatch watch = leader.open_tickets.front();
      leader.open_tickets.pop_front();
      if (ledger_.IsOpen(watch.ticket)) leader.open_tickets.push_back(watch);
    }
  }
  leader.open_tickets.push_back({now_ + options_.ticket_timeout, ticket});
}

void Core::Impl::BeginWatches(Leader& leader) {
  for (const Ledger::OpenTicket& open : ledger_.open_tickets()) WatchTicket(leader, open.ticket);
  if (options_.session_timeout != kUnlimited) leader.sessions_due = now_;
}

Instant Core::Impl::NextExpiry(const Leader& leader) const noexcept {
  // Nothing new is appended during a transfer.
  if (leader.transfer) return kNever;
  const Instant sessions = leader.sessions_due;
  return leader.open_tickets.empty() ? sessions
                                     : std::min(sessions, leader.open_tickets.front().deadline);
}

void Core::Impl::ExpireForOthers(Leader& leader) {
  if (now_ < NextExpiry(leader)) return;
  while (!leader.open_tickets.empty() && leader.open_tickets.front().deadline <= now_) {
    const Ticket ticket = leader.open_tickets.front().ticket;
    leader.open_tickets.pop_front();
    if (!ledger_.IsOpen(ticket)) continue;
    AppendEntry(EntryKind::kDecision, Ticket(), Encode(DecisionBody{ticket, Decision::kRollback}));
    ++effects_->tickets_expired;
  }
  if (now_ >= leader.sessions_due) CloseSilentSessions(leader);
}

// Looked at four times in the time that a session may be silent.
void Core::Impl::CloseSilentSessions(Leader& leader) {
  leader.sessions_due = now_ + options_.session_timeout / 4;
  std::vector<SessionWatch> watches;
  const std::vector<Ledger::SessionUse> uses = ledger_.SessionUses();
  watches.reserve(uses.size());
  auto known = leader.sessions.begin();
  for (const Ledger::SessionUse& use : uses) {
    while (known != leader.sessions.end() && known->use.session < use.session) ++known;
    const bool is_silent = known != leader.sessions.end() && known->use == use;
    SessionWatch watch{use, is_silent ? known->since : now_};
    if (now_ - watch.since >= options_.session_timeout) {
      AppendEntry(EntryKind::kSession, Ticket(), Encode(SessionBody{use.session, use.used_to}));
      ++effects_->sessions_expired;
      watch.since = now_;
    }
    watches.push_back(watch);
  }
  leader.sessions = std::move(watches);
}

}  // namespace kommander::raft
