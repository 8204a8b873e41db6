// The naive model and the comparison with it.
#include "wal_model.hpp"

#include <vector>

namespace kommander::conformance {
namespace {

std::string ReadDifference(Wal& wal, PartitionId id, const ModelPartition& model) {
  std::uint64_t next = model.boundary.index.value() + 1;
  auto expected = model.entries.begin();
  std::vector<Entry> chunk;
  do {
    if (wal.Read(id, LogIndex(next), LogIndex(~std::uint64_t{0}), 4096, chunk)) return "a read";
    for (const Entry& entry : chunk) {
      if (expected == model.entries.end()) return "an entry too many";
      if (entry != expected->second) return "entry " + std::to_string(expected->first);
      ++expected;
    }
    next += chunk.size();
  } while (!chunk.empty());
  return expected == model.entries.end() ? "" : "too few entries";
}

}  // namespace

std::string PartitionDifference(Wal& wal, PartitionId id, const ModelPartition& model) {
  RecoveredPartition recovered;
  if (const error_code error = wal.Recover(id, recovered)) return "recovery: " + error.message();
  if (recovered.boundary != model.boundary) return "the boundary";
  if (recovered.hard_state != model.hard_state) return "the hard state";
  if (recovered.commit_hint != model.commit_hint) return "the commit hint";
  if (recovered.application != model.application) return "the application's record";
  if (recovered.last_index != LogIndex(model.Last())) {
    return "the last index: " + std::to_string(recovered.last_index.value()) + " instead of " +
           std::to_string(model.Last());
  }
  HlcTimestamp greatest_stamp;
  std::vector<TermRun> terms;
  std::vector<Entry> configurations;
  for (const auto& [index, entry] : model.entries) {
    greatest_stamp = std::max(greatest_stamp, entry.ticket);
    if (terms.empty() || terms.back().term != entry.term)
      terms.push_back({entry.index, entry.term});
    if (entry.kind == EntryKind::kConfiguration) configurations.push_back(entry);
  }
  if (recovered.terms != terms) return "the terms";
  if (recovered.greatest_stamp != greatest_stamp) return "the greatest stamp";
  if (recovered.configuration_entries != configurations) return "the configuration entries";
  return ReadDifference(wal, id, model);
}

std::uint64_t ModelPartition::Last() const {
  return entries.empty() ? boundary.index.value() : entries.rbegin()->first;
}

void ModelPartition::Apply(const WriteUnit& unit) {
  if (unit.boundary) {
    boundary = *unit.boundary;
    if (unit.drop_log) entries.clear();
    entries.erase(entries.begin(), entries.upper_bound(boundary.index.value()));
  }
  if (unit.truncate_from) {
    entries.erase(entries.lower_bound(unit.truncate_from->value()), entries.end());
  }
  for (const Entry& entry : unit.entries) entries[entry.index.value()] = entry;
  if (unit.hard_state) hard_state = *unit.hard_state;
  if (unit.commit_hint) commit_hint = *unit.commit_hint;
  if (unit.application) application = *unit.application;
}

std::string FirstDifference(Wal& wal, const WalModel& model) {
  std::vector<PartitionId> listed;
  if (wal.ListPartitions(listed)) return "the list of partitions cannot be read";
  std::vector<PartitionId> expected;
  for (const auto& [id, partition] : model) expected.push_back(id);
  if (listed != expected) return "the list of partitions";
  for (const auto& [id, partition] : model) {
    const std::string difference = PartitionDifference(wal, id, partition);
    if (!difference.empty()) {
      return "partition " + std::to_string(id.value()) + ": " + difference;
    }
  }
  return "";
}

}  // namespace kommander::conformance
