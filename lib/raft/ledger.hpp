// What every node must judge alike from the log alone: tickets of prepared proposals and sessions
// will live here. Stepped in log order when the core hands an entry to the applier, so a verdict
// depends on nothing but the entries before it; serialised into the boundary record when a prefix
// is removed. Today it knows no ticket and no session: application entries are delivered, the
// library's own are not.
#pragma once

#include <kommander/entry.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>

#include "raft/effects.hpp"

namespace kommander::raft {

class Ledger {
 public:
  // Judges `entry`, which follows the one before it.
  Verdict Step(const Entry& entry);

  // The state after the last step. Bytes: u8 version (1). No byte at all: a new ledger.
  [[nodiscard]] Payload Serialize() const;
  // Replaces the state. False: not such bytes, and nothing has changed.
  [[nodiscard]] bool Restore(ByteSpan bytes);
};

}  // namespace kommander::raft
