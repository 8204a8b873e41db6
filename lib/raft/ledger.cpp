// The judgements.
#include "raft/ledger.hpp"

#include <algorithm>
#include <utility>

#include "mutants/mutants.hpp"

namespace kommander::raft {
namespace {

Judgement Take(const Entry& entry, Verdict verdict) {
  return {verdict, std::nullopt, entry.index, entry.term, entry.ticket, 0, nullptr};
}

}  // namespace

Judgement Ledger::Refuse(const Entry& entry, RaftErrc error) {
  Judgement judgement = Take(entry, Verdict::kSilent);
  judgement.error = error;
  return judgement;
}

Judgement Ledger::Step(const Entry& entry) {
  greatest_ = std::max(greatest_, entry.ticket);
  switch (entry.kind) {
    case EntryKind::kApplication: return Take(entry, Verdict::kDeliver);
    case EntryKind::kNoop:
    case EntryKind::kConfiguration: return Take(entry, Verdict::kSilent);
    case EntryKind::kCheckpoint: return Cover(entry);
    case EntryKind::kPrepared: return Prepare(entry);
    case EntryKind::kDecision: return Decide(entry);
    case EntryKind::kSession: return ChangeSession(entry);
    case EntryKind::kSessionApplication:
    case EntryKind::kSessionPrepared: return StepSession(entry);
  }
  return Refuse(entry, RaftErrc::InvalidArgument);
}

// Nobody can hold what comes later.
Judgement Ledger::Cover(const Entry& entry) {
  const auto body = DecodeCheckpoint(entry.body.bytes());
  if (!body || body->covered >= entry.index) return Refuse(entry, RaftErrc::InvalidArgument);
  return Take(entry, Verdict::kSilent);
}

std::size_t Ledger::PlaceOf(const Ticket& ticket) const noexcept {
  const auto place = std::lower_bound(
      open_.begin(), open_.end(), ticket,
      [](const OpenTicket& open, const Ticket& wanted) { return open.ticket < wanted; });
  return static_cast<std::size_t>(place - open_.begin());
}

bool Ledger::IsOpen(const Ticket& ticket) const noexcept {
  const std::size_t place = PlaceOf(ticket);
  return place < open_.size() && open_[place].ticket == ticket;
}

LogIndex Ledger::OldestOpen() const noexcept {
  LogIndex oldest;
  for (const OpenTicket& open : open_) {
    if (!oldest || open.entry->index < oldest) oldest = open.entry->index;
  }
  return oldest;
}

bool Ledger::HasRoomFor(std::size_t entry_bytes, std::size_t count,
                        std::size_t bytes) const noexcept {
  return open_.size() + count < kOpenTicketsMax &&
         open_bytes_ + bytes + entry_bytes <= kOpenTicketBytesMax;
}

Judgement Ledger::Prepare(const Entry& entry) {
  const std::size_t place = PlaceOf(entry.ticket);
  const bool is_known = place < open_.size() && open_[place].ticket == entry.ticket;
  if (!entry.ticket || is_known) return Refuse(entry, RaftErrc::InvalidArgument);
  const bool has_room =
      KOMMANDER_MUTANT(open_tickets_unbounded) || HasRoomFor(entry.SizeBytes(), 0, 0);
  if (!has_room) return Refuse(entry, RaftErrc::TooManyOpenTickets);
  // A copy of its own: the body may be a part of a message that is a thousand times larger.
  auto kept = std::make_shared<const Entry>(entry.term, entry.index, entry.kind, entry.ticket,
                                            Payload(entry.body.bytes()));
  open_.insert(open_.begin() + static_cast<std::ptrdiff_t>(place), {entry.ticket, std::move(kept)});
  open_bytes_ += entry.SizeBytes();
  return Take(entry, Verdict::kSilent);
}

// The first decision in the log settles a ticket; a later one is told what that was.
Judgement Ledger::Decide(const Entry& entry) {
  const auto body = DecodeDecision(entry.body.bytes());
  if (!body) return Refuse(entry, RaftErrc::InvalidArgument);
  const std::size_t place = PlaceOf(body->ticket);
  if (place < open_.size() && open_[place].ticket == body->ticket) {
    std::shared_ptr<const Entry> prepared = std::move(open_[place].entry);
    open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(place));
    open_bytes_ -= prepared->SizeBytes();
    if (settled_.size() == kSettledTicketsMax) settled_.pop_front();
    const std::uint32_t count = PayloadCountOf(*prepared);
    settled_.push_back({body->ticket, body->decision, entry.index, entry.term, count});
    const bool delivers =
        body->decision == Decision::kCommit || KOMMANDER_MUTANT(rolled_back_ticket_delivered);
    Judgement judgement = Take(entry, delivers ? Verdict::kDeliver : Verdict::kSilent);
    judgement.ticket = body->ticket;
    judgement.count = count;
    if (delivers) judgement.prepared = std::move(prepared);
    return judgement;
  }
  for (std::size_t i = settled_.size(); i-- > 0;) {
    const SettledTicket& settled = settled_[i];
    if (settled.ticket != body->ticket) continue;
    Judgement judgement = Take(entry, Verdict::kSilent);
    judgement.index = settled.index;
    judgement.term = settled.term;
    judgement.ticket = settled.ticket;
    judgement.count = settled.count;
    const bool agrees =
        settled.decision == body->decision || KOMMANDER_MUTANT(opposite_decision_succeeds);
    if (!agrees) judgement.error = RaftErrc::AlreadySettled;
    return judgement;
  }
  return Refuse(entry, RaftErrc::ProposalNotFound);
}

Ledger::Session* Ledger::FindSession(SessionId id) noexcept {
  const auto found = std::lower_bound(
      sessions_.begin(), sessions_.end(), id,
      [](const Session& session, SessionId wanted) { return session.id < wanted; });
  return found != sessions_.end() && found->id == id ? &*found : nullptr;
}

Judgement Ledger::ChangeSession(const Entry& entry) {
  const auto body = DecodeSession(entry.body.bytes());
  if (!body) return Refuse(entry, RaftErrc::InvalidArgument);
  if (!body->closed) {
    if (sessions_.size() >= kSessionsMax) return Refuse(entry, RaftErrc::TooManySessions);
    sessions_.push_back({SessionId(entry.index.value()), 1, entry.index, {}});
    return Take(entry, Verdict::kSilent);
  }
  const Session* session = FindSession(body->closed);
  if (session == nullptr) return Refuse(entry, RaftErrc::SessionExpired);
  const bool is_idle =
      session->used_to <= body->used_to || KOMMANDER_MUTANT(session_expired_while_used);
  // Used meanwhile: whoever wanted it closed for its silence was wrong.
  if (is_idle) sessions_.erase(sessions_.begin() + (session - sessions_.data()));
  return Take(entry, Verdict::kSilent);
}

// A write that was executed before is answered as it was then; one that its client has given up
// is never executed late.
Judgement Ledger::StepSession(const Entry& entry) {
  const auto header = DecodeSessionHeader(entry.body.bytes());
  if (!header) return Refuse(entry, RaftErrc::InvalidArgument);
  Session* session = FindSession(header->session);
  if (session == nullptr) return Refuse(entry, RaftErrc::SessionExpired);
  session->used_to = entry.index;
  std::vector<SessionResult>& results = session->results;
  const auto before = [](const SessionResult& result, std::uint64_t sequence) {
    return result.sequence < sequence;
  };
  if (header->lowest_unanswered > session->lowest) {
    session->lowest = header->lowest_unanswered;
    results.erase(results.begin(),
                  std::lower_bound(results.begin(), results.end(), session->lowest, before));
  }
  const std::uint64_t sequence = header->sequence;
  if (sequence < session->lowest) return Refuse(entry, RaftErrc::InvalidArgument);
  if (sequence - session->lowest >= kSessionWindow) {
    return Refuse(entry, RaftErrc::ProposalQueueFull);
  }
  const auto place = std::lower_bound(results.begin(), results.end(), sequence, before);
  const bool is_repeated = place != results.end() && place->sequence == sequence;
  if (is_repeated && !KOMMANDER_MUTANT(duplicate_executed)) {
    return {Verdict::kSilent, std::nullopt, place->index, place->term, place->ticket, 0, nullptr};
  }
  Judgement judgement = IsPrepared(entry.kind) ? Prepare(entry) : Take(entry, Verdict::kDeliver);
  // What was refused had no effect, and may be tried again.
  if (!judgement.error && !is_repeated) {
    results.insert(place, {sequence, entry.index, entry.term, entry.ticket});
  }
  return judgement;
}

std::vector<Ledger::SessionUse> Ledger::SessionUses() const {
  std::vector<SessionUse> uses;
  uses.reserve(sessions_.size());
  for (const Session& session : sessions_) uses.push_back({session.id, session.used_to});
  return uses;
}

}  // namespace kommander::raft
