// Exactly once: a session numbers the writes of one client, so that a write which is sent again,
// after a time-out, a change of leader or a restart, is answered with its first result instead of
// taking effect twice (thesis 6.3).
//
// A session belongs to one partition and lives in its log: RaftManager::OpenSession makes it,
// CloseSession or a long silence (RaftConfiguration::SessionTimeout) ends it; a partition has 1,024
// of them at most. The cluster remembers the results of at most kSessionWindow writes of a session,
// from the lowest one that the client still waits for. A client that was restarted opens another
// one: what it had not heard the end of has an unknown outcome then.
//
// The error of a repetition speaks of the repetition alone. While an earlier try has ended with
// OutcomeUnknown or ProposalTimeout, the write may have taken effect, also when a later one ends
// with SessionExpired.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>

#include <kommander/ids.hpp>

namespace kommander {

// The index of the entry that opened it; 0: none.
using SessionId = StrongId<struct SessionIdTag>;

// Writes of one session that may be under way at a time.
inline constexpr std::size_t kSessionWindow = 128;

// One numbered write: keep it and hand it in again, unchanged, to retry that very write.
class SessionRequest {
 public:
  SessionRequest() noexcept = default;
  SessionRequest(PartitionId partition, SessionId session, std::uint64_t sequence,
                 std::uint64_t lowest_unanswered) noexcept
      : partition_(partition),
        session_(session),
        sequence_(sequence),
        lowest_unanswered_(lowest_unanswered) {}
  [[nodiscard]] PartitionId partition() const noexcept { return partition_; }
  [[nodiscard]] SessionId session() const noexcept { return session_; }
  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  [[nodiscard]] std::uint64_t lowest_unanswered() const noexcept { return lowest_unanswered_; }
  [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(session_); }
  friend bool operator==(const SessionRequest&, const SessionRequest&) = default;

 private:
  PartitionId partition_;
  SessionId session_;
  std::uint64_t sequence_ = 0;  // from 1
  std::uint64_t lowest_unanswered_ = 0;
};

// The client's side: hands out numbers and knows which are unanswered. Not thread-safe.
class ClientSession {
 public:
  ClientSession() = default;
  ClientSession(PartitionId partition, SessionId id) noexcept : partition_(partition), id_(id) {}
  [[nodiscard]] PartitionId partition() const noexcept { return partition_; }
  [[nodiscard]] SessionId id() const noexcept { return id_; }

  // Whether another write may begin: fewer than kSessionWindow lie between the lowest unanswered
  // one and the next.
  [[nodiscard]] bool MayBegin() const noexcept {
    return unanswered_.empty() || next_ - *unanswered_.begin() < kSessionWindow;
  }
  // The next write. MayBegin() must hold, otherwise the cluster may refuse it (ProposalQueueFull).
  [[nodiscard]] SessionRequest Begin() {
    unanswered_.insert(next_);
    return {partition_, id_, next_++, *unanswered_.begin()};
  }
  // The write is answered for good, with success or given up: it will not be sent again.
  void End(const SessionRequest& request) { unanswered_.erase(request.sequence()); }

 private:
  PartitionId partition_;
  SessionId id_;
  std::uint64_t next_ = 1;
  std::set<std::uint64_t> unanswered_;
};

}  // namespace kommander
