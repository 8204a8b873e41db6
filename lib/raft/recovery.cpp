// Every rule that the log, the members and the ledger of a new core rely on.
#include "raft/recovery.hpp"

#include "mutants/mutants.hpp"
#include "raft/ledger.hpp"
#include "raft/membership.hpp"

namespace kommander::raft {
namespace {

std::string At(LogIndex index) { return " at index " + std::to_string(index.value()); }

// The runs of terms cover the log from the boundary to its end, without a gap, and only rise.
std::optional<std::string> FindTermDamage(const RecoveredPartition& recovered) {
  const LogIndex boundary = recovered.boundary.index;
  if (recovered.last_index < boundary) return "the log ends before its boundary";
  LogIndex next = boundary.Next();
  Term term = recovered.boundary.term;
  for (const TermRun& run : recovered.terms) {
    const bool is_first = &run == &recovered.terms.front();
    const bool is_next = run.first == next || KOMMANDER_MUTANT(log_begins_after_a_gap);
    const bool follows =
        is_first ? is_next && run.term >= term : run.first >= next && run.term > term;
    if (!follows || !run.term || run.first > recovered.last_index) {
      return "the terms do not ascend along the log" + At(run.first);
    }
    next = run.first.Next();
    term = run.term;
  }
  if (recovered.terms.empty() && recovered.last_index > boundary) {
    return "entries without a term" + At(boundary.Next());
  }
  return std::nullopt;
}

std::optional<std::string> FindConfigurationDamage(const RecoveredPartition& recovered) {
  LogIndex previous = recovered.boundary.index;
  for (const Entry& entry : recovered.configuration_entries) {
    if (entry.index <= previous || entry.index > recovered.last_index) {
      return "a configuration out of place" + At(entry.index);
    }
    if (!DecodeConfiguration(entry.body.bytes())) {
      return "a configuration that does not decode" + At(entry.index);
    }
    previous = entry.index;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FindDamage(const RecoveredPartition& recovered) {
  if (auto damage = FindTermDamage(recovered)) return damage;
  // A hint is stored with or after what it speaks of.
  if (recovered.commit_hint > recovered.last_index) {
    return "the log ends before what was committed" + At(recovered.commit_hint);
  }
  if (auto damage = FindConfigurationDamage(recovered)) return damage;
  if (!Ledger().Restore(recovered.boundary.ledger.bytes())) {
    return "a ledger that does not decode" + At(recovered.boundary.index);
  }
  return std::nullopt;
}

}  // namespace kommander::raft
