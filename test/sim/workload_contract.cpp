// The clients of proposals, sessions, checkpoints and holds. Wherever they ask, their question may
// be handed on to whoever leads.
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
    if (!operation.error) {
      Count(features_, Feature::kDecided);
      if (operation.is_mixed) Count(features_, Feature::kMixedDecided);
    }
    if (operation.error == RaftErrc::AlreadySettled) Count(features_, Feature::kOverruled);
  }
  if (operation.kind != OperationKind::kPrepare || operation.error) return;
  Count(features_, Feature::kPrepared);
  if (prepared_.size() == kTicketsKept) prepared_.erase(prepared_.begin());
  prepared_.push_back({operation.id, operation.partition, operation.ticket, operation.is_mixed});
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
  open.operation.awaits_apply = contract_chance_.OneIn(4);
  open.operation.is_mixed = chosen.is_mixed;
  const std::uint64_t id = open.operation.id;
  const auto options = ReplicateOptions()
                           .Timeout(timeout)
                           .Forward(open.operation.forwards)
                           .AwaitApply(open.operation.awaits_apply);
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
  open.operation.forwards = contract_chance_.OneIn(2);
  open.operation.led = node.raft()->Status(partition).role == Role::kLeader;
  node.raft()->OpenSession(partition, ReplicateOptions().Forward(open.operation.forwards),
                           Token<ClientSession>(open));
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
  open.operation.forwards = contract_chance_.OneIn(2);
  open.operation.led = node.raft()->Status(partition).role == Role::kLeader;
  node.raft()->CloseSession(partition, session, ReplicateOptions().Forward(open.operation.forwards),
                            Token<detail::NoResult>(open));
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
  open.operation.awaits_apply = contract_chance_.OneIn(4);
  const auto options = ReplicateOptions()
                           .Timeout(timeout)
                           .Session(write.request)
                           .Forward(open.operation.forwards)
                           .AwaitApply(open.operation.awaits_apply);
  node.raft()->ReplicateLogs(partition, kSessionType, write.payload, options,
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

// --- Payloads of both kinds ---

std::uint64_t Workload::WriteMixed(SimNode& node, PartitionId partition) {
  const Duration timeout = contract_chance_.Between(50ms, 3s);
  auto committed = static_cast<std::uint32_t>(contract_chance_.Between(0, 3));
  const auto manual = static_cast<std::uint32_t>(contract_chance_.Between(0, 3));
  if (committed + manual == 0) committed = 1;
  const bool is_mixed = committed != 0 && manual != 0;
  // What has two entries is not handed on.
  const bool forwards = !is_mixed && contract_chance_.OneIn(2);
  ReplicateOptions options;
  options.Timeout(timeout).Forward(forwards);
  EntryBatch batch;
  Open* first = nullptr;
  std::uint64_t write = 0;
  std::uint64_t proposal = 0;
  if (committed != 0) {
    first = &Add(node, partition, OperationKind::kWrite, timeout, committed);
    write = first->operation.id;
    first->operation.forwards = forwards;
  }
  for (std::uint32_t ordinal = 0; ordinal < committed; ++ordinal) {
    batch.Add(kOperationType, MakePayload(write, ordinal));
  }
  if (manual != 0) {
    Open& open = Add(node, partition, OperationKind::kPrepare, timeout, manual);
    proposal = open.operation.id;
    open.operation.forwards = forwards;
    open.operation.is_mixed = is_mixed;
    if (first != nullptr) open.cancel.reset();  // one call
    if (first == nullptr) first = &open;
  }
  for (std::uint32_t ordinal = 0; ordinal < manual; ++ordinal) {
    batch.AddManual(kPreparedType, MakePayload(proposal, ordinal));
  }
  const asio::cancellation_slot slot =
      first->cancel ? first->cancel->slot() : asio::cancellation_slot();
  const auto close = [this, write, proposal](error_code error, ReplicateEntriesResult result) {
    const bool is_written = error == RaftErrc::PartlyCommitted;
    if (write != 0) Close(write, is_written ? error_code() : error, result.committed);
    if (proposal != 0) Close(proposal, error, result.prepared);
    if (!error && write != 0 && proposal != 0) Count(features_, Feature::kMixedBatches);
  };
  const std::uint64_t id = first->operation.id;
  node.raft()->ReplicateEntries(
      partition, batch, options,
      asio::bind_cancellation_slot(slot, asio::bind_executor(process_.get_executor(), close)));
  return id;
}

// --- What a write expects ---

// Generations do not change here: another one than that of the map is none at any time.
void Workload::ExpectGeneration(ClientOperation& operation, SimNode& node,
                                ReplicateOptions& options) {
  if (!running_ || !contract_chance_.Permille(options_.generation_permille)) return;
  const Generation known = node.raft()->GetPartitionMap().GenerationOf(operation.partition);
  if (!known) return;
  operation.is_moved = contract_chance_.OneIn(4);
  operation.generation = operation.is_moved ? Generation(known.value() + 1) : known;
  options.ExpectedGeneration(operation.generation);
}

void Workload::CheckGeneration(const ClientOperation& operation) {
  if (!operation.generation) return;
  if (operation.error == RaftErrc::PartitionMoved && operation.is_moved) {
    Count(features_, Feature::kGenerationsMissed);
  }
  if (operation.error) return;
  if (!operation.is_moved) return Count(features_, Feature::kGenerationsMet);
  checker_.Report("generations are checked",
                  "write " + std::to_string(operation.id) + " expected generation " +
                      std::to_string(operation.generation.value()) + " of partition " +
                      std::to_string(operation.partition.value()) + " and succeeded");
}

// What a success tells of the way that it took.
void Workload::CountWrite(const ClientOperation& operation) {
  const bool is_of_session = operation.kind == OperationKind::kOpenSession ||
                             operation.kind == OperationKind::kCloseSession;
  if (is_of_session && operation.forwards && !operation.led) {
    Count(features_, Feature::kSessionsElsewhere);
  }
  if (!operation.forwards || !operation.leader || operation.leader == operation.node) return;
  if (operation.kind == OperationKind::kWrite) Count(features_, Feature::kForwarded);
  if (operation.awaits_apply) Count(features_, Feature::kAwaitedElsewhere);
}

// --- Holds ---

std::uint64_t Workload::Hold(SimNode& node, PartitionId partition) {
  const PartitionStatus status = node.raft()->Status(partition);
  if (status.first.value() == 0) return 0;
  // Mostly one of the oldest, which are removed next; or one that is gone already.
  const std::uint64_t oldest = std::max<std::uint64_t>(status.first.value(), 2) - 1;
  const LogIndex first(oldest + contract_chance_.Below(contract_chance_.OneIn(3) ? 40 : 4));
  Open& open = Add(node, partition, OperationKind::kHold, 2s);
  const std::uint64_t id = open.operation.id;
  const asio::cancellation_slot slot =
      open.cancel ? open.cancel->slot() : asio::cancellation_slot();
  node.raft()->AcquireRetentionHold(
      partition, first,
      asio::bind_cancellation_slot(
          slot, asio::bind_executor(process_.get_executor(),
                                    [this, id, first](error_code error, RetentionHold hold) {
                                      KeepHold(id, first, error, std::move(hold));
                                    })));
  return id;
}

void Workload::KeepHold(std::uint64_t id, LogIndex first, error_code error, RetentionHold hold) {
  const auto open = open_.find(id);
  if (!error && open != open_.end()) {
    Count(features_, Feature::kHolds);
    Held& held = holds_[id];
    held.operation = open->second.operation;
    held.operation.index = first;
    held.hold = std::move(hold);
    world_.PushAt(process_.record(), world_.Now() + contract_chance_.Between(0ms, 4s),
                  [this, id] { LetGo(id); });
  }
  Close(id, error, AnswerPlace(first));
}

void Workload::LetGo(std::uint64_t id) {
  const auto found = holds_.find(id);
  if (found == holds_.end()) return;
  const ClientOperation& held = found->second.operation;
  for (const auto& node : nodes_) {
    if (node->id() != held.node || !node->IsUp() || node->life() != held.life) continue;
    const PartitionStatus status = node->raft()->Status(held.partition);
    const bool is_felt = status.first <= held.index && status.floor > held.index;
    if (is_felt) Count(features_, Feature::kHoldsFelt);
  }
  ClientOperation operation;
  operation.id = ++last_id_;
  operation.kind = OperationKind::kLetGo;
  operation.node = held.node;
  operation.life = held.life;
  operation.partition = held.partition;
  operation.subject = id;
  operation.began = operation.ended = world_.Now();
  operation.end = OperationEnd::kAnswered;
  world_.trace().Event(world_.Now(), "let go", id, held.node.value(), held.index.value());
  checker_.Began(operation);
  holds_.erase(found);  // and with it the hold
  checker_.Ended(operation);
}

}  // namespace kommander::sim
