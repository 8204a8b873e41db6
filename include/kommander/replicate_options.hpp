// What may be asked of a single write or read, and what it answers.
#pragma once

#include <cstdint>
#include <optional>

#include <kommander/ids.hpp>
#include <kommander/time.hpp>

namespace kommander {

class ReplicateOptions {
 public:
  ReplicateOptions() = default;
  // Ends the wait after this time: DeadlineExceeded without effect, or ProposalTimeout.
  // Default: RaftConfiguration::ProposalTimeout.
  ReplicateOptions& Timeout(Duration value) {
    timeout_ = value;
    return *this;
  }
  // Completes only after this node's handlers have returned for the write. Default: once it is
  // committed and synced here.
  ReplicateOptions& AwaitApply(bool value = true) {
    await_apply_ = value;
    return *this;
  }
  [[nodiscard]] std::optional<Duration> timeout() const noexcept { return timeout_; }
  [[nodiscard]] bool await_apply() const noexcept { return await_apply_; }

 private:
  std::optional<Duration> timeout_;
  bool await_apply_ = false;
};

// Where a write went. On an error `leader` is a hint to try next, 0 when none is known.
struct ReplicateResult {
  ReplicateResult() = default;
  Ticket ticket;
  LogIndex index;
  Term term;
  std::uint32_t count = 0;  // payloads; they have the ordinals 0..count-1
  NodeId leader;
};

class ReadOptions {
 public:
  ReadOptions() = default;
  // Default: RaftConfiguration::ReadTimeout.
  ReadOptions& Timeout(Duration value) {
    timeout_ = value;
    return *this;
  }
  [[nodiscard]] std::optional<Duration> timeout() const noexcept { return timeout_; }

 private:
  std::optional<Duration> timeout_;
};

// The state of the application on this node now holds everything up to `index`, and whatever was
// acknowledged before the call lies at or below it.
struct ReadBarrierResult {
  ReadBarrierResult() = default;
  LogIndex index;
  NodeId leader;  // a hint on an error
};

}  // namespace kommander
