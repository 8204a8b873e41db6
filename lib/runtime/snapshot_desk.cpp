#include "runtime/snapshot_desk.hpp"

#include <algorithm>
#include <utility>

#include "mutants/mutants.hpp"
#include "runtime/snapshot_streams.hpp"

namespace kommander::runtime {
namespace {

// After failures in a row: from one heartbeat's time up to half a minute.
constexpr Duration kPauseMin = std::chrono::milliseconds(200);
constexpr Duration kPauseMax = std::chrono::seconds(30);
// A draft that nobody goes on with, for longer than a leader pauses between two transfers.
constexpr Duration kIdleTimeout = 2 * kPauseMax;

Duration PauseAfter(int failures) noexcept {
  Duration pause = kPauseMin;
  for (int i = 1; i < failures && pause < kPauseMax; ++i) pause *= 2;
  return std::min(pause, kPauseMax);
}

SnapshotSenderOptions OptionsOf(const RaftConfiguration& configuration) noexcept {
  SnapshotSenderOptions options;
  options.bytes_per_second = configuration.snapshot_bytes_per_second();
  options.step_timeout = configuration.snapshot_step_timeout();
  return options;
}

// What the store does for a snapshot that is received; blocking.
SnapshotStored Keep(SnapshotStore& store, PartitionId partition, const SnapshotReceiver::Work& work,
                    const SnapshotInfo& wanted, std::uint64_t free_bytes_min) {
  using Kind = SnapshotReceiver::Work::Kind;
  constexpr auto kDraft = SnapshotStore::Draft::kReceived;
  SnapshotStored stored;
  if (work.kind == Kind::kBegin || work.kind == Kind::kAppend) {
    stored.error = CheckRoom(store, free_bytes_min);
    if (stored.error) return stored;
  }
  if (work.kind == Kind::kBegin) {
    stored.error = store.Begin(partition, kDraft);
  } else if (work.kind == Kind::kAppend) {
    stored.error = store.Append(partition, kDraft, work.bytes.bytes());
  } else if (work.kind == Kind::kPublish) {
    SnapshotInfo info(wanted.index, wanted.term, 0, {});
    stored.error = store.Publish(partition, kDraft, info, wanted.sha256);
    if (stored.error) return stored;
    stored.published = wanted.index;
    SnapshotHead head = ReadSnapshotHead(store, partition, wanted.index);
    stored.error = head.error;
    stored.offset = head.bytes;
    if (!head.error) stored.boundary = std::move(head.boundary);
  }
  return stored;
}

}  // namespace

SnapshotDesk::SnapshotDesk(std::shared_ptr<NodeServices> services, PartitionId partition,
                           const Stored& stored)
    : services_(std::move(services)),
      partition_(partition),
      newest_(stored.in_force),
      delivered_until_(stored.delivered_until),
      receiver_(kIdleTimeout) {
  for (const LogIndex index : stored.others) others_.emplace(index, false);
  if (stored.is_importing) importing_.insert(stored.in_force->index);
}

bool SnapshotDesk::IsOpen() const noexcept {
  return services_->snapshots != nullptr && services_->state_machine != nullptr;
}

// Again, of one that has just got one: it fell behind the log's beginning all the same.
void SnapshotDesk::OnNeeded(NodeId peer, Instant now) {
  Peer& state = peers_[peer];
  state.not_before = now + (state.matched ? PauseAfter(++state.failures) : Duration::zero());
  state.matched.reset();
}

// --- Sending ---

void SnapshotDesk::StartSending(NodeId peer, Peer& state, Retention& retention, Instant now) {
  const std::size_t most = services_->configuration.snapshot_transfers_max();
  std::size_t running = services_->snapshot_transfers.load(std::memory_order_relaxed);
  do {
    if (running >= most) {
      state.not_before = now + kPauseMin;
      return;
    }
  } while (!services_->snapshot_transfers.compare_exchange_weak(running, running + 1));
  state.sender.emplace(peer, *newest_, OptionsOf(services_->configuration), now);
  // What follows the snapshot stays until the follower has that, too.
  if (state.hold != 0) retention.Release(state.hold);
  state.hold = retention.Hold(newest_->index.Next());
}

void SnapshotDesk::EndOne(NodeId peer, Peer& state, bool success, Retention& retention, Instant now,
                          Orders& orders) {
  if (state.sender) {
    const LogIndex index = state.sender->info().index;
    if (success) orders.inputs.emplace_back(raft::SnapshotSent{peer, index, true});
    if (!success && state.sender->has_advanced()) state.failures = 0;
    orders.ended.push_back({peer, index, success});
    state.sender.reset();
    services_->snapshot_transfers.fetch_sub(1);
    if (success) {
      state.matched = index;
      state.advanced = now;
      return;
    }
    retention.Release(std::exchange(state.hold, 0));
  }
  state.not_before = now + PauseAfter(++state.failures);
}

// What it needs of the log stays until little of it is left, or it gets no further.
void SnapshotDesk::ProceedFollowing(Peer& state, LogIndex matched, LogIndex last,
                                    Retention& retention, Instant now) {
  const RaftConfiguration& configuration = services_->configuration;
  if (matched > *state.matched) {
    state.matched = matched;
    state.advanced = now;
    retention.Release(std::exchange(state.hold, retention.Hold(matched.Next())));
  }
  const std::uint64_t left = LogIndex::Distance(*state.matched, std::max(last, *state.matched));
  const bool is_late = now - state.advanced >= configuration.snapshot_step_timeout();
  state.is_served = left <= configuration.retained_entries() / 2 || is_late;
}

void SnapshotDesk::Drop(const Peer& state, Retention& retention) {
  if (state.sender) services_->snapshot_transfers.fetch_sub(1);
  if (state.hold != 0) retention.Release(state.hold);
}

// Who is no member any more needs nothing.
void SnapshotDesk::DropStrangers(std::span<const PeerStatus> members, Retention& retention) {
  std::erase_if(peers_, [&](const auto& peer) {
    const bool is_member =
        std::any_of(members.begin(), members.end(),
                    [&](const PeerStatus& member) { return member.node == peer.first; });
    if (!is_member) Drop(peer.second, retention);
    return !is_member;
  });
}

void SnapshotDesk::ProceedSending(NodeId peer, Peer& state, Retention& retention, Instant now,
                                  Orders& orders) {
  if (!state.sender) return;
  SnapshotSender& sender = *state.sender;
  const SnapshotSender::Step step = sender.Proceed(now);
  if (sender.end()) return EndOne(peer, state, *sender.end(), retention, now, orders);
  if (step.offer) {
    Message message;
    message.to = peer;
    message.body = SnapshotOffer(sender.info());
    orders.messages.push_back(std::move(message));
  }
  for (const SnapshotSender::Range& range : step.ranges) {
    SubmitRead(peer, range, sender.info().index);
  }
}

void SnapshotDesk::SubmitRead(NodeId peer, const SnapshotSender::Range& range, LogIndex index) {
  const error_code refused =
      services_->io->SubmitFileTask([store = services_->snapshots, post = post_,
                                     partition = partition_, peer, range, index](bool cancelled) {
        SnapshotRead read{peer, index, range.offset, RaftErrc::NodeStopped, Payload()};
        if (!cancelled) {
          read.error = store->Read(partition, index, range.offset, range.bytes, read.bytes);
        }
        post(std::move(read));
      });
  if (refused) post_(SnapshotRead{peer, index, range.offset, refused, Payload()});
}

void SnapshotDesk::EndSending(Retention& retention) {
  for (auto& [peer, state] : peers_) Drop(state, retention);
  peers_.clear();
  ready_.clear();
}

// --- Receiving ---

void SnapshotDesk::OnMessage(const Message& message, const raft::CoreStatus& status, Instant now) {
  if (const auto* reply = std::get_if<SnapshotReply>(&message.body)) {
    const auto found = peers_.find(message.from);
    const bool counts = status.role == raft::RoleKind::kLeader && message.term == status.term;
    if (counts && found != peers_.end() && found->second.sender) {
      found->second.sender->OnReply(*reply, now);
    }
    return;
  }
  // Bytes of a deposed leader are of no use: its snapshot may lack what a newer one has.
  if (message.term != status.term || message.from != status.leader) return;
  if (const auto* offer = std::get_if<SnapshotOffer>(&message.body)) {
    if (!IsOpen()) return receiver_.Refuse(message.from, offer->info.index);
    if (IsBeingRemoved(offer->info.index)) return;  // it will be offered again
    offered_in_ = message.term;
    receiver_.OnOffer(message.from, offer->info, std::max(status.committed, status.applied), now);
  } else if (const auto* chunk = std::get_if<SnapshotChunk>(&message.body)) {
    receiver_.OnChunk(message.from, *chunk, now);
  }
}

void SnapshotDesk::DoWork(SnapshotReceiver::Work work) {
  const SnapshotInfo wanted = receiver_.info().value_or(SnapshotInfo());  // none: it was given up
  const error_code refused = services_->io->SubmitFileTask(
      [store = services_->snapshots, post = post_, partition = partition_, work = std::move(work),
       wanted, free_bytes_min = services_->configuration.free_bytes_min()](bool cancelled) {
        SnapshotStored stored;
        stored.error = RaftErrc::NodeStopped;
        if (!cancelled) stored = Keep(*store, partition, work, wanted, free_bytes_min);
        // A draft that nothing comes of may be as large as the state.
        const bool is_over = stored.error || work.kind == SnapshotReceiver::Work::Kind::kDiscard;
        if (is_over) store->Discard(partition, SnapshotStore::Draft::kReceived);
        post(std::move(stored));
      });
  if (refused) post_(SnapshotStored{refused, LogIndex(), std::nullopt});
}

void SnapshotDesk::ProceedReceiving(const raft::CoreStatus& status, Instant now, Orders& orders) {
  receiver_.OnTime(now);
  if (installing_) {
    const SnapshotInfo info = *receiver_.info();
    if (status.committed < info.index) {
      installing_ = false;
      orders.refused_here = true;
      receiver_.OnInstalled(false);  // the core did not want it
    } else if (status.durable >= info.index) {
      installing_ = false;
      if (status.first == info.index.Next()) importing_.insert(info.index);
      if (!newest_ || newest_->index <= info.index) {
        PutInForce(info);
        orders.put_in_force = info.index;
      }
      receiver_.OnInstalled(true);
    }
  } else if (staged_ && receiver_.IsPublished()) {
    orders.inputs.emplace_back(
        raft::SnapshotStaged{receiver_.from(), offered_in_, *std::exchange(staged_, std::nullopt)});
    installing_ = true;
  }
  if (SnapshotReceiver::Work work = receiver_.TakeWork();
      work.kind != SnapshotReceiver::Work::Kind::kNone) {
    DoWork(std::move(work));
  }
  if (auto answer = receiver_.TakeAnswer()) {
    Message message;
    message.to = answer->to;
    message.body = answer->reply;
    orders.messages.push_back(std::move(message));
  }
}

// --- Taking ---

std::optional<BoundaryRecord> SnapshotDesk::OnMark(const CutPoint& point,
                                                   Configuration configuration, Instant now) {
  const bool is_newer = (!newest_ || newest_->index < point.index) && !IsBeingRemoved(point.index);
  if (point.image == nullptr || !is_newer) {
    taking_ = false;
    take_not_before_ = now + kPauseMax;
    return std::nullopt;
  }
  BoundaryRecord boundary;
  boundary.index = point.index;
  boundary.term = point.term;
  boundary.configuration = std::move(configuration);
  boundary.digest = point.digest;
  boundary.ledger = point.ledger;
  boundary.system = point.system;
  return boundary;
}

void SnapshotDesk::ConsiderTaking(LogIndex applied, bool is_wanted, Instant now, Orders& orders) {
  take_due_ = kNever;
  if (!IsOpen() || taking_ || applied < delivered_until_) return;
  const LogIndex last = newest_ ? newest_->index : LogIndex();
  const std::uint64_t since = applied > last ? LogIndex::Distance(last, applied) : 0;
  const std::uint64_t due = services_->configuration.snapshot_entries();
  if (since == 0 || !(is_wanted || (due != 0 && since >= due))) return;
  if (now < take_not_before_) {
    take_due_ = take_not_before_;
    return;
  }
  taking_ = true;
  orders.inputs.emplace_back(raft::MarkLedger{});
}

// --- Together ---

void SnapshotDesk::OnEvent(SnapshotEvent event, Instant now) {
  if (auto* taken = std::get_if<SnapshotTaken>(&event)) {
    taking_ = false;
    if (taken->error) {
      take_not_before_ = now + kPauseMax;
    } else if (!newest_ || newest_->index < taken->info.index) {
      PutInForce(taken->info);
    } else if (newest_->index != taken->info.index) {
      others_.emplace(taken->info.index, false);
    }
  } else if (auto* read = std::get_if<SnapshotRead>(&event)) {
    const auto found = peers_.find(read->peer);
    if (found == peers_.end() || !found->second.sender) return;
    SnapshotSender& sender = *found->second.sender;
    if (sender.info().index != read->index) return;
    if (read->error) return sender.Fail();
    Message message;
    message.to = read->peer;
    message.body = SnapshotChunk(read->index, read->offset, std::move(read->bytes));
    ready_.push_back(std::move(message));
  } else if (auto* stored = std::get_if<SnapshotStored>(&event)) {
    if (const LogIndex index = stored->published) {
      if (!newest_ || newest_->index != index) others_.emplace(index, false);
    }
    if (stored->boundary) {
      if (KOMMANDER_MUTANT(received_snapshot_replaces)) PutInForce(*receiver_.info());
      staged_ = std::move(stored->boundary);
      staged_offset_ = stored->offset;
    }
    receiver_.OnWorkDone(stored->error, now);
  } else if (const auto* removed = std::get_if<SnapshotRemoved>(&event)) {
    others_.erase(removed->index);
  }
}

// --- Removing ---

void SnapshotDesk::PutInForce(const SnapshotInfo& info) {
  if (newest_ && newest_->index != info.index) others_.emplace(newest_->index, false);
  others_.erase(info.index);
  newest_ = info;
}

bool SnapshotDesk::IsNeeded(LogIndex index) const noexcept {
  const bool is_staged = receiver_.IsPublished() && receiver_.info()->index == index;
  return is_staged || importing_.contains(index) ||
         std::any_of(peers_.begin(), peers_.end(), [&](const auto& peer) {
           return peer.second.sender && peer.second.sender->info().index == index;
         });
}

bool SnapshotDesk::IsBeingRemoved(LogIndex index) const noexcept {
  const auto found = others_.find(index);
  return found != others_.end() && found->second;
}

// One that cannot be removed is found again at the next start.
void SnapshotDesk::RemoveOthers() {
  for (auto& [index, is_submitted] : others_) {
    if (is_submitted || IsNeeded(index)) continue;
    const error_code refused =
        services_->io->SubmitFileTask([store = services_->snapshots, post = post_,
                                       partition = partition_, index = index](bool cancelled) {
          if (!cancelled) (void)store->Remove(partition, index);
          post(SnapshotRemoved{index});
        });
    is_submitted = !refused;
  }
}

void SnapshotDesk::Proceed(const raft::CoreStatus& status, LogIndex applied,
                           std::span<const PeerStatus> members, Retention& retention, Instant now,
                           Orders& orders) {
  if (status.role != raft::RoleKind::kLeader && !peers_.empty()) EndSending(retention);
  DropStrangers(members, retention);
  const bool reaches = newest_ && newest_->index.Next() >= status.first;
  bool is_wanted = false;
  for (const PeerStatus& member : members) {
    const auto found = peers_.find(member.node);
    if (found == peers_.end()) continue;
    Peer& state = found->second;
    if (state.matched) {
      ProceedFollowing(state, member.matched, status.last, retention, now);
    } else if (!state.sender && now >= state.not_before) {
      state.waits_for_taking = IsOpen() && !reaches;
      if (!IsOpen()) {
        orders.inputs.emplace_back(raft::SnapshotSent{member.node, LogIndex(), false});
        orders.impossible.push_back(member.node);
        state.is_served = true;
      } else if (reaches) {
        StartSending(member.node, state, retention, now);
      } else {
        is_wanted = true;
      }
    }
    ProceedSending(member.node, state, retention, now, orders);
  }
  std::erase_if(peers_, [&](const auto& peer) {
    if (peer.second.is_served) Drop(peer.second, retention);
    return peer.second.is_served;
  });
  for (Message& message : ready_) orders.messages.push_back(std::move(message));
  ready_.clear();
  ProceedReceiving(status, now, orders);
  RemoveOthers();
  ConsiderTaking(applied, is_wanted, now, orders);
}

void SnapshotDesk::Describe(PeerStatus& peer) const noexcept {
  const auto found = peers_.find(peer.node);
  if (found == peers_.end()) return;
  const Peer& state = found->second;
  peer.snapshot_failures = static_cast<std::uint64_t>(state.failures);
  if (!state.sender) return;
  peer.snapshot = state.sender->info().index;
  peer.snapshot_bytes = state.sender->info().bytes;
  peer.snapshot_bytes_received = state.sender->acknowledged();
}

Instant SnapshotDesk::Due() const noexcept {
  Instant due = std::min(receiver_.Due(), take_due_);
  for (const auto& [peer, state] : peers_) {
    if (state.sender) {
      due = std::min(due, state.sender->Due());
    } else if (state.matched) {
      due = std::min(due, state.advanced + services_->configuration.snapshot_step_timeout());
    } else if (!state.waits_for_taking) {
      due = std::min(due, state.not_before);
    }
  }
  return due;
}

}  // namespace kommander::runtime
