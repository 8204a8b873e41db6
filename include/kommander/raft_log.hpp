// What a handler is given: one payload at its place in a partition's order.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/time.hpp>

namespace kommander {

// Positions (index, ordinal) strictly increase within a partition. Copies share the bytes and keep
// them alive; cheap to move into a coroutine.
class RaftLog {
 public:
  RaftLog() = default;
  // `type` must lie in memory that `payload` keeps alive.
  RaftLog(PartitionId partition, LogIndex index, std::uint32_t ordinal, Term term, Ticket ticket,
          std::string_view type, Payload payload, LogIndex proposed_index = LogIndex()) noexcept
      : partition_(partition),
        ordinal_(ordinal),
        index_(index),
        proposed_index_(proposed_index ? proposed_index : index),
        term_(term),
        ticket_(ticket),
        type_(type),
        payload_(std::move(payload)) {}
  [[nodiscard]] PartitionId partition() const noexcept { return partition_; }
  [[nodiscard]] LogIndex index() const noexcept { return index_; }
  // Where it was proposed: before index() when it waited for a decision.
  [[nodiscard]] LogIndex proposed_index() const noexcept { return proposed_index_; }
  [[nodiscard]] std::uint32_t ordinal() const noexcept { return ordinal_; }
  [[nodiscard]] Term term() const noexcept { return term_; }
  [[nodiscard]] Ticket ticket() const noexcept { return ticket_; }
  [[nodiscard]] std::string_view type() const noexcept { return type_; }
  [[nodiscard]] const Payload& payload() const noexcept { return payload_; }

 private:
  PartitionId partition_;
  std::uint32_t ordinal_ = 0;
  LogIndex index_;
  LogIndex proposed_index_;
  Term term_;
  Ticket ticket_;
  std::string_view type_;
  Payload payload_;
};

}  // namespace kommander
