// All that one partition does about snapshots beside its core: takes them when enough has been
// applied, sends the newest one to followers whose next entries are gone, and receives one where
// the log is behind. Blocking work goes to the I/O scheduler and comes back as an event; nothing
// here waits. Of the partition actor's strand.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <variant>
#include <vector>

#include <kommander/messages.hpp>
#include <kommander/snapshot_store.hpp>
#include <kommander/status.hpp>
#include <kommander/time.hpp>

#include "raft/core.hpp"
#include "runtime/node_services.hpp"
#include "runtime/retention.hpp"
#include "runtime/snapshot_receiver.hpp"
#include "runtime/snapshot_sender.hpp"

namespace kommander::runtime {

// What became of blocking work.
struct SnapshotTaken {
  error_code error;
  SnapshotInfo info;
};
struct SnapshotRead {
  NodeId peer;
  LogIndex index;
  std::uint64_t offset = 0;
  error_code error;
  Payload bytes;
};
struct SnapshotStored {
  error_code error;
  LogIndex published;                      // 0: nothing was, in this piece of work
  std::optional<BoundaryRecord> boundary;  // of what was published and can be read
  std::uint64_t offset = 0;                // of the application's bytes there
};
struct SnapshotRemoved {
  LogIndex index;
};
using SnapshotEvent = std::variant<SnapshotTaken, SnapshotRead, SnapshotStored, SnapshotRemoved>;

class SnapshotDesk {
 public:
  // A transfer that is over.
  struct Ended {
    NodeId to;
    LogIndex index;
    bool success = false;
  };
  // What is there at the start: the snapshot that the log has or goes on from, and others; and up
  // to where the application's state goes before anything is delivered.
  struct Stored {
    std::optional<SnapshotInfo> in_force;
    std::vector<LogIndex> others;
    bool is_importing = false;  // the one in force
    LogIndex delivered_until;
  };
  // What the core is to be told.
  struct Orders {
    std::vector<raft::Input> inputs;
    std::vector<Message> messages;  // without sender, term and stamp
    std::vector<Ended> ended;
    std::vector<NodeId> impossible;        // peers that need a snapshot where none can be had
    std::optional<LogIndex> put_in_force;  // one that was received
    bool refused_here = false;             // one that was received, and is not wanted after all
  };

  SnapshotDesk(std::shared_ptr<NodeServices> services, PartitionId partition, const Stored& stored);
  // Before anything else: `post` brings an event back to the strand, from any thread, at any time.
  void Open(std::function<void(SnapshotEvent)> post) { post_ = std::move(post); }

  // Adds what is known of the peer's snapshot.
  void Describe(PeerStatus& peer) const noexcept;
  // Where the application's bytes begin in what was received last.
  [[nodiscard]] std::uint64_t installed_offset() const noexcept { return staged_offset_; }
  // Whether snapshots can be taken and sent at all.
  [[nodiscard]] bool IsOpen() const noexcept;

  // The core's word that a peer needs one.
  void OnNeeded(NodeId peer, Instant now);
  // Of the step's leader, or to it.
  void OnMessage(const Message& message, const raft::CoreStatus& status, Instant now);
  void OnEvent(SnapshotEvent event, Instant now);
  // The application's state is the snapshot's, or a later one.
  void OnImported(LogIndex index) {
    importing_.erase(importing_.begin(), importing_.upper_bound(index));
  }
  // A mark that was asked for was passed. What has to be written out, before the application's own
  // bytes; none: nothing, the application gave no image or there is a newer snapshot.
  [[nodiscard]] std::optional<BoundaryRecord> OnMark(const CutPoint& point,
                                                     Configuration configuration, Instant now);

  // Whether Proceed has to be told of the peers.
  [[nodiscard]] bool HasPeers() const noexcept { return !peers_.empty(); }
  // What follows, after a step of the core that ended with `status`. `members`: the other members.
  void Proceed(const raft::CoreStatus& status, LogIndex applied,
               std::span<const PeerStatus> members, Retention& retention, Instant now,
               Orders& orders);
  [[nodiscard]] Instant Due() const noexcept;
  // The partition ends, or leads no more: nothing is sent any longer.
  void EndSending(Retention& retention);

 private:
  // A follower that needs a snapshot, or has just got one.
  struct Peer {
    std::optional<SnapshotSender> sender;  // none: it waits for a place, for a snapshot, or out of
                                           // patience; or it has it
    std::uint64_t hold = 0;                // of the log's tail, 0: none
    int failures = 0;
    Instant not_before{};
    bool waits_for_taking = false;  // no snapshot reaches the log
    bool is_served = false;         // nothing more is to be done for it
    // Once it has the snapshot: how far it follows, and since when no further.
    std::optional<LogIndex> matched;
    Instant advanced{};
  };

  void DropStrangers(std::span<const PeerStatus> members, Retention& retention);
  void StartSending(NodeId peer, Peer& state, Retention& retention, Instant now);
  void ProceedSending(NodeId peer, Peer& state, Retention& retention, Instant now, Orders& orders);
  void ProceedFollowing(Peer& state, LogIndex matched, LogIndex last, Retention& retention,
                        Instant now);
  void EndOne(NodeId peer, Peer& state, bool success, Retention& retention, Instant now,
              Orders& orders);
  void Drop(const Peer& state, Retention& retention);
  void ProceedReceiving(const raft::CoreStatus& status, Instant now, Orders& orders);
  void DoWork(SnapshotReceiver::Work work);
  void ConsiderTaking(LogIndex applied, bool is_wanted, Instant now, Orders& orders);
  void PutInForce(const SnapshotInfo& info);
  [[nodiscard]] bool IsNeeded(LogIndex index) const noexcept;
  [[nodiscard]] bool IsBeingRemoved(LogIndex index) const noexcept;
  void RemoveOthers();
  void SubmitRead(NodeId peer, const SnapshotSender::Range& range, LogIndex index);

  const std::shared_ptr<NodeServices> services_;
  const PartitionId partition_;
  std::function<void(SnapshotEvent)> post_;
  std::optional<SnapshotInfo> newest_;  // in force
  // Complete ones beside it: received and not installed yet, still being sent, or on their way out.
  std::map<LogIndex, bool> others_;  // the removal has been submitted
  std::set<LogIndex> importing_;     // the application reads them, or is about to
  const LogIndex delivered_until_;   // before it marks do not say what the state is
  bool taking_ = false;              // from the mark to the end of its publication
  Instant take_not_before_{};
  Instant take_due_ = kNever;  // when one is wanted and may be taken
  std::map<NodeId, Peer> peers_;
  std::vector<Message> ready_;  // chunks that have been read
  SnapshotReceiver receiver_;
  std::optional<BoundaryRecord> staged_;  // published, and not handed to the core yet
  std::uint64_t staged_offset_ = 0;
  Term offered_in_;          // its offer, by the leader of that term
  bool installing_ = false;  // handed to it
};

}  // namespace kommander::runtime
