// The clients of proposals, sessions and checkpoints. Wherever they ask, their question may be
// handed on to whoever leads.
#include <algorithm>
#include <utility>

#include "workload.hpp"
#include "workload_token.hpp"

namespace kommander::sim {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kTicketsKept = 64;
constexpr std::size_t kSessionsMax = 6;

}  // namespace

// --- Proposals ---

void Workload::CallForProposal(SimNode& node, PartitionId partition) {
  if (contract_chance_.OneIn(2) && Decide(node, partition) != 0) return;
  Prepare(node, partition, static_cast<std::uint32_t>(contract_chance_.Between(1, 3)));
}

std::uint64_t Workload::Prepare(SimNode& node, PartitionId partition, std::uint32_t count) {
  const Duration timeout = contract_chance_.Between(50ms, 3s);
  Open& open = Add(node, partition, OperationKind::kPrepare, timeout, count);
  const std::uint64_t id = open.operation.id;
  open.operation.forwards = contract_chance_.OneIn(2);
  Batch batch;
  for (std::uint32_t ordinal = 0; ordinal < count; ++ordinal) {
    batch.Add(kPreparedType, MakePayload(id, ordinal));
  }
  node.raft()->ReplicateLogs(
      partition, batch,
      ReplicateOptions().Timeout(timeout).Manual().Forward(open.operation.forwards),
      Token<ReplicateResult>(open));
  return id;
}

void Workload::LearnOfTicket(const ClientOperation& operation) {
  if (operation.kind == OperationKind::kDecide) {
    if (!operation.error) Count(features_, Feature::kDecided);
    if (operation.error == RaftErrc::AlreadySettled) Count(features_, Feature::kOverruled);
  }
  if (operation.kind != OperationKind::kPrepare || operation.error) return;
  Count(features_, Feature::kPrepared);
  if (prepared_.size() == kTicketsKept) prepared_.erase(prepared_.begin());
  prepared_.push_back({operation.id, operation.partition, operation.ticket});
}

// Any of them, decided or not, this way or that: mostly one of the newest.
std::uint64_t Workload::Decide(SimNode& node, PartitionId partition) {
  std::vector<const Prepared*> known;
  for (const Prepared& prepared : prepared_) {
    if (prepared.partition == partition) known.push_back(&prepared);
  }
  if (known.empty()) return 0;
  const std::size_t newest =
      contract_chance_.OneIn(4) ? known.size() : std::min<std::size_t>(known.size(), 3);
  const Prepared chosen = *known[known.size() - 1 - contract_chance_.Below(newest)];
  const bool commits = !contract_chance_.OneIn(3);
  const Duration timeout = contract_chance_.Between(50ms, 3s);
  Open& open = Add(node, partition, OperationKind::kDecide, timeout);
  open.operation.ticket = chosen.ticket;
  open.operation.subject = chosen.operation;
  open.operation.commits = commits;
  open.operation.forwards = contract_chance_.OneIn(2);
  const std::uint64_t id = open.operation.id;
  const auto options = ReplicateOptions().Timeout(timeout).Forward(open.operation.forwards);
  if (commits) {
    node.raft()->CommitLogs(partition, chosen.ticket, options, Token<ReplicateResult>(open));
  } else {
    node.raft()->RollbackLogs(partition, chosen.ticket, options, Token<ReplicateResult>(open));
  }
  return id;
}

// --- Sessions ---

void Workload::CallInSession(SimNode& node, PartitionId partition) {
  const auto of_partition = [&](const Session& session) {
    return session.numbers.partition() == partition;
  };
  const bool has_one = std::any_of(sessions_.begin(), sessions_.end(), of_partition);
  if (!has_one || (sessions_.size() < kSessionsMax && contract_chance_.OneIn(40))) {
    OpenSession(node, partition);
  } else if (contract_chance_.OneIn(60)) {
    CloseSession(node, partition);
  } else {
    WriteInSession(node, partition);
  }
}

std::uint64_t Workload::OpenSession(SimNode& node, PartitionId partition) {
  // As long as a write may take, which has the configured time.
  Open& open = Add(node, partition, OperationKind::kOpenSession, 10s);
  const std::uint64_t id = open.operation.id;
  node.raft()->OpenSession(partition, Token<ClientSession>(open));
  return id;
}

void Workload::LearnOfSession(const ClientOperation& operation) {
  if (operation.kind != OperationKind::kOpenSession || operation.error) return;
  if (sessions_.size() == kSessionsMax) sessions_.erase(sessions_.begin());
  sessions_.push_back({ClientSession(operation.partition, SessionId(operation.index.value())), {}});
}

std::uint64_t Workload::CloseSession(SimNode& node, PartitionId partition) {
  const auto found = std::find_if(sessions_.begin(), sessions_.end(), [&](const Session& session) {
    return session.numbers.partition() == partition;
  });
  if (found == sessions_.end()) return 0;
  const SessionId session = found->numbers.id();
  // Its client is gone in one case and goes on writing in the other.
  if (contract_chance_.OneIn(2)) sessions_.erase(found);
  Open& open = Add(node, partition, OperationKind::kCloseSession, 10s);
  const std::uint64_t id = open.operation.id;
  node.raft()->CloseSession(partition, session, Token<detail::NoResult>(open));
  return id;
}

std::uint64_t Workload::WriteInSession(SimNode& node, PartitionId partition) {
  std::vector<Session*> known;
  for (Session& session : sessions_) {
    if (session.numbers.partition() == partition) known.push_back(&session);
  }
  if (known.empty()) return 0;
  Session& session = *known[contract_chance_.Below(known.size())];
  const Duration timeout = contract_chance_.Between(50ms, 3s);
  Open& open = Add(node, partition, OperationKind::kSessionWrite, timeout, 1);
  const std::uint64_t id = open.operation.id;
  // What is unanswered is tried again, and now and then what is answered, or still on its way.
  const bool is_new =
      session.writes.empty() ||
      (session.numbers.MayBegin() && session.writes.size() < 16 && contract_chance_.OneIn(2));
  auto place = session.writes.begin();
  if (is_new) {
    place = session.writes.emplace(id, SessionWrite()).first;
    place->second.request = session.numbers.Begin();
    place->second.payload = MakePayload(id, 0);
  } else {
    std::advance(place, static_cast<std::ptrdiff_t>(contract_chance_.Below(session.writes.size())));
  }
  SessionWrite& write = place->second;
  ++write.open;
  open.operation.subject = place->first;
  open.operation.forwards = contract_chance_.OneIn(2);
  node.raft()->ReplicateLogs(
      partition, kSessionType, write.payload,
      ReplicateOptions().Timeout(timeout).Session(write.request).Forward(open.operation.forwards),
      Token<ReplicateResult>(open));
  return id;
}

void Workload::LearnOfSessionWrite(const ClientOperation& operation) {
  if (operation.kind != OperationKind::kSessionWrite) return;
  if (!operation.error) {
    Count(features_, Feature::kSessionWrites);
    acked_.push_back(operation);
  }
  for (auto session = sessions_.begin(); session != sessions_.end(); ++session) {
    const auto write = session->writes.find(operation.subject);
    if (write == session->writes.end()) continue;
    if (operation.error == RaftErrc::SessionExpired) {
      sessions_.erase(session);
      return;
    }
    SessionWrite& known = write->second;
    --known.open;
    if (operation.error) return;
    if (std::exchange(known.is_answered, true)) Count(features_, Feature::kSessionRepeats);
    // Done with, unless it is to be asked once more.
    if (contract_chance_.OneIn(4)) return;
    session->numbers.End(known.request);
    session->writes.erase(write);
    return;
  }
}

// --- Checkpoints ---

std::uint64_t Workload::Checkpoint(SimNode& node, PartitionId partition) {
  const Duration timeout = contract_chance_.Between(50ms, 3s);
  Open& open = Add(node, partition, OperationKind::kCheckpoint, timeout);
  const std::uint64_t id = open.operation.id;
  node.raft()->ReplicateCheckpoint(partition, std::nullopt, ReplicateOptions().Timeout(timeout),
                                   Token<ReplicateResult>(open));
  return id;
}

}  // namespace kommander::sim
