// What partitions of different nodes say to each other. Values without behaviour: the core makes
// and reads them, transports carry them, nobody else looks inside. Bytes on the wire:
// docs/protocol.md.
#pragma once

#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include <kommander/entry.hpp>
#include <kommander/ids.hpp>
#include <kommander/snapshot_info.hpp>
#include <kommander/time.hpp>

namespace kommander {

// Asks for a vote (thesis 3.4, 9.6). A pre-vote asks about `Message::term` without anybody entering
// it.
struct VoteRequest {
  VoteRequest() = default;
  VoteRequest(LogIndex candidate_last_index, Term candidate_last_term, bool is_pre_vote,
              bool is_transfer)
      : last_index(candidate_last_index),
        last_term(candidate_last_term),
        pre_vote(is_pre_vote),
        transfer(is_transfer) {}
  LogIndex last_index;
  Term last_term;
  bool pre_vote = false;
  bool transfer = false;  // the old leader named this candidate: stickiness is waived
  // The incarnation that the roster, as applied on the candidate's node, has of the receiver; 0:
  // none. A node under it is admitted, although it may not have learnt of that itself.
  Incarnation admits;
  friend bool operator==(const VoteRequest&, const VoteRequest&) = default;
};

// A granted pre-vote carries the term that was asked about, a refusal the replier's own.
struct VoteReply {
  VoteReply() = default;
  VoteReply(bool is_pre_vote, bool is_granted) : pre_vote(is_pre_vote), granted(is_granted) {}
  bool pre_vote = false;
  bool granted = false;
  friend bool operator==(const VoteReply&, const VoteReply&) = default;
};

// Entries after (previous_index, previous_term). Empty: a probe. `commit` is the leader's.
struct AppendRequest {
  AppendRequest() = default;
  AppendRequest(LogIndex index_before, Term term_before, LogIndex leader_commit,
                std::vector<Entry> new_entries)
      : previous_index(index_before),
        previous_term(term_before),
        commit(leader_commit),
        entries(std::move(new_entries)) {}
  LogIndex previous_index;
  Term previous_term;
  LogIndex commit;
  std::vector<Entry> entries;
  friend bool operator==(const AppendRequest&, const AppendRequest&) = default;
};

// Accepted: everything up to `matched` equals the leader's log and is synced here.
// Rejected: `rejected` is the request's previous_index; the follower's log may agree with the
// leader's only at or below (hint_index, hint_term).
struct AppendReply {
  AppendReply() = default;
  AppendReply(bool is_accepted, LogIndex matched_index, LogIndex rejected_index,
              LogIndex index_of_hint, Term term_of_hint)
      : accepted(is_accepted),
        matched(matched_index),
        rejected(rejected_index),
        hint_index(index_of_hint),
        hint_term(term_of_hint) {}
  bool accepted = false;
  LogIndex matched;
  LogIndex rejected;
  LogIndex hint_index;
  Term hint_term;
  friend bool operator==(const AppendReply&, const AppendReply&) = default;
};

// Says that the leader lives. `commit` never exceeds what this follower acknowledged, so it needs
// no log check. `round` numbers the leader's heartbeat rounds, for read index and check-quorum.
struct Heartbeat {
  Heartbeat() = default;
  Heartbeat(LogIndex leader_commit, std::uint64_t leader_round)
      : commit(leader_commit), round(leader_round) {}
  LogIndex commit;
  std::uint64_t round = 0;
  friend bool operator==(const Heartbeat&, const Heartbeat&) = default;
};

// That the round of a heartbeat was heard, and how far this node is.
struct HeartbeatReply {
  HeartbeatReply() = default;
  HeartbeatReply(std::uint64_t answered_round, LogIndex durable_index)
      : round(answered_round), durable(durable_index) {}
  std::uint64_t round = 0;
  LogIndex durable;  // how far this follower's log is synced, matching or not: a lost ack shows
  friend bool operator==(const HeartbeatReply&, const HeartbeatReply&) = default;
};

// A follower asks the leader for a read index (thesis 6.4); `request` is the asker's number.
struct ReadIndexRequest {
  ReadIndexRequest() = default;
  explicit ReadIndexRequest(std::uint64_t request_number) : request(request_number) {}
  std::uint64_t request = 0;
  friend bool operator==(const ReadIndexRequest&, const ReadIndexRequest&) = default;
};

// From which index on a read misses nothing, if leadership was confirmed.
struct ReadIndexReply {
  ReadIndexReply() = default;
  ReadIndexReply(std::uint64_t request_number, bool is_confirmed, LogIndex read_index)
      : request(request_number), confirmed(is_confirmed), index(read_index) {}
  std::uint64_t request = 0;
  bool confirmed = false;  // false: not the leader, or no longer
  LogIndex index;
  friend bool operator==(const ReadIndexReply&, const ReadIndexReply&) = default;
};

// The leader asks its most advanced follower to campaign at once (thesis 3.10).
struct TransferRequest {
  TransferRequest() = default;
  friend bool operator==(const TransferRequest&, const TransferRequest&) = default;
};

// A leader offers its newest snapshot to a follower whose next entries are gone, until an answer
// comes; then it sends the bytes, a bounded number ahead of the answers.
struct SnapshotOffer {
  SnapshotOffer() = default;
  explicit SnapshotOffer(const SnapshotInfo& offered) : info(offered) {}
  SnapshotInfo info;
  friend bool operator==(const SnapshotOffer&, const SnapshotOffer&) = default;
};

// A piece of it, in order.
struct SnapshotChunk {
  SnapshotChunk() = default;
  SnapshotChunk(LogIndex snapshot_index, std::uint64_t first_byte, Payload chunk_bytes)
      : index(snapshot_index), offset(first_byte), bytes(std::move(chunk_bytes)) {}
  LogIndex index;  // of the snapshot
  std::uint64_t offset = 0;
  Payload bytes;
  friend bool operator==(const SnapshotChunk&, const SnapshotChunk&) = default;
};
// To an offer and to chunks: the bytes up to `received` are kept; the next ones are wanted.
struct SnapshotReply {
  enum class State : std::uint8_t {
    kWanted = 0,     // go on at `received`
    kInstalled = 1,  // nothing more is needed: the follower's log starts after it, or has it
    kRefused = 2,    // not now: too many transfers, no place, or the bytes did not match
  };
  SnapshotReply() = default;
  SnapshotReply(LogIndex snapshot_index, std::uint64_t received_bytes, State reply_state)
      : index(snapshot_index), received(received_bytes), state(reply_state) {}
  LogIndex index;
  std::uint64_t received = 0;
  State state = State::kWanted;
  friend bool operator==(const SnapshotReply&, const SnapshotReply&) = default;
};

// A node that does not lead hands a caller's write to the one that does, once. `number` is the
// sender's; the receiver has `patience_ms` for it.
struct ForwardRequest {
  ForwardRequest() = default;
  std::uint64_t number = 0;
  std::uint64_t patience_ms = 0;
  Generation expected_generation;  // 0: not checked
  EntryKind kind = EntryKind::kApplication;
  bool await_apply = false;  // on the node that leads
  Payload body;
  friend bool operator==(const ForwardRequest&, const ForwardRequest&) = default;
};
// What became of it: `error` 0 for success, else a RaftErrc.
struct ForwardReply {
  ForwardReply() = default;
  std::uint64_t number = 0;
  std::uint32_t error = 0;
  NodeId leader;  // a hint on an error
  Ticket ticket;
  LogIndex index;
  Term term;
  std::uint32_t count = 0;
  friend bool operator==(const ForwardReply&, const ForwardReply&) = default;
};

// What one message is about.
using MessageBody =
    std::variant<VoteRequest, VoteReply, AppendRequest, AppendReply, Heartbeat, HeartbeatReply,
                 ReadIndexRequest, ReadIndexReply, TransferRequest, SnapshotOffer, SnapshotChunk,
                 SnapshotReply, ForwardRequest, ForwardReply>;

// Every message carries its sender's term, replies too; the receiver adopts a higher one first.
struct Message {
  Message() = default;
  Message(PartitionId message_partition, NodeId sender, NodeId receiver, Term sender_term,
          MessageBody message_body)
      : partition(message_partition),
        from(sender),
        to(receiver),
        term(sender_term),
        body(std::move(message_body)) {}
  friend bool operator==(const Message&, const Message&) = default;

  PartitionId partition;
  NodeId from;
  NodeId to;
  Term term;
  HlcTimestamp stamp;  // of the sender's clock when it was sent; its node is `from`
  MessageBody body;
};

}  // namespace kommander
