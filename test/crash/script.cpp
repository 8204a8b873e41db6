// Terms never fall, truncations spare what was said to be committed, boundaries follow it: the
// sequence is one that a core could have asked for.
#include "script.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace kommander::crash {
namespace {

using conformance::ModelPartition;

constexpr std::uint32_t kPartitions = 5;
constexpr std::uint64_t kKeptEntriesMax = 120;

StoreIdentity MakeIdentity() {
  StoreIdentity identity;
  identity.cluster_id = "crash matrix";
  identity.node = NodeId(2);
  identity.incarnation = Incarnation(0xfeedfacecafebeef);
  identity.system_configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
  return identity;
}

class Generator {
 public:
  explicit Generator(const ScriptOptions& options) : options_(options), random_(options.seed) {}

  std::vector<Step> Make() {
    std::vector<Step> steps;
    steps.emplace_back().kind = Step::Kind::kCreate;
    while (steps.size() < options_.steps) {
      const std::size_t every = options_.reopen_every;
      if (every != 0 && steps.size() % every == every - 1) {
        steps.emplace_back().kind = Step::Kind::kReopen;
        continue;
      }
      Step step;
      const std::uint64_t dice = Below(100);
      if (dice < 3) {
        step.kind = Step::Kind::kMetadata;
        step.key = "name" + std::to_string(Below(4));
        step.value = std::string(Below(40), static_cast<char>('a' + Below(26)));
      } else if (dice < 5 && !model_.partitions.empty()) {
        step.kind = Step::Kind::kDelete;
        step.partition = PartitionId(static_cast<std::uint32_t>(Below(kPartitions)));
      } else {
        AddUnits(step);
      }
      model_.Apply(step);
      steps.push_back(std::move(step));
    }
    return steps;
  }

 private:
  std::uint64_t Below(std::uint64_t bound) { return random_() % bound; }

  void AddUnits(Step& step) {
    for (std::uint32_t partition = 0; partition < kPartitions; ++partition) {
      const bool is_chosen = Below(kPartitions) < 2;
      if (is_chosen) step.units.push_back(MakeUnit(partition));
    }
    if (step.units.empty()) step.units.push_back(MakeUnit(0));
  }

  BoundaryRecord MakeBoundary(std::uint64_t index) {
    BoundaryRecord boundary;
    boundary.index = LogIndex(index);
    boundary.term = Term(index == 0 ? 0 : term_);
    boundary.configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)}, {}, {NodeId(4)});
    boundary.digest = random_();
    boundary.ledger = Payload(std::string(Below(60), 'l'));
    return boundary;
  }

  WriteUnit MakeUnit(PartitionId partition) {
    WriteUnit unit;
    unit.partition = partition;
    ModelPartition after;
    const auto found = model_.partitions.find(partition);
    if (found == model_.partitions.end()) {
      unit.boundary = MakeBoundary(0);
    } else {
      after = found->second;
      AddRemovals(unit, after);
    }
    after.Apply(unit);
    if (Below(12) == 0) ++term_;
    const std::uint64_t first = after.Last() + 1;
    const std::uint64_t count = Below(Below(8) == 0 ? 30 : 5);
    for (std::uint64_t index = first; index < first + count; ++index) {
      const auto kind = Below(10) == 0 ? EntryKind::kConfiguration : EntryKind::kApplication;
      unit.entries.emplace_back(Term(term_), LogIndex(index), kind,
                                Ticket(1'700'000'000'000 + index, 3, NodeId(2)), MakeBody());
    }
    if (Below(4) == 0) {
      ++term_;
      unit.hard_state = HardState{Term(term_), NodeId(static_cast<std::uint32_t>(Below(4)))};
    }
    if (Below(3) == 0) unit.commit_hint = LogIndex(first - 1);
    return unit;
  }

  void AddRemovals(WriteUnit& unit, const ModelPartition& now) {
    const std::uint64_t first = now.boundary.index.value();
    const std::uint64_t committed = std::max(first, now.commit_hint.value());
    const std::uint64_t last = now.Last();
    if (Below(40) == 0) {  // a snapshot from elsewhere
      unit.boundary = MakeBoundary(last + 1 + Below(20));
      unit.drop_log = true;
      unit.commit_hint = unit.boundary->index;
    } else if (last - first > kKeptEntriesMax || Below(15) == 0) {
      unit.boundary = MakeBoundary(first + Below(committed - first + 1));
    } else if (last > committed && Below(4) == 0) {
      unit.truncate_from = LogIndex(committed + 1 + Below(last - committed));
    }
  }

  // Bytes that tell one write of an index from another, and that nothing compresses.
  Payload MakeBody() {
    const std::size_t most = Below(20) == 0 ? options_.body_bytes_max : options_.body_bytes_max / 8;
    std::string body(Below(most + 1), '\0');
    for (char& byte : body) byte = static_cast<char>(random_());
    return Payload(body);
  }

  ScriptOptions options_;
  std::mt19937_64 random_;
  Contents model_;
  std::uint64_t term_ = 1;
};

class Comparer {
 public:
  Comparer(Wal& wal, const Contents& before, const Contents& after)
      : wal_(wal), before_(before), after_(after) {}

  Comparison Run(const std::optional<StoreIdentity>& identity) {
    if (identity != before_.identity && identity != after_.identity) Differs("the identity");
    comparison_.found.identity = identity;
    std::vector<PartitionId> listed;
    if (const error_code error = wal_.ListPartitions(listed)) {
      Damaged("the list of partitions", error);
    } else {
      Partitions(listed);
    }
    auto names = before_.metadata;
    names.insert(after_.metadata.begin(), after_.metadata.end());
    for (const auto& [name, ignored] : names) Metadata(name);
    return std::move(comparison_);
  }

 private:
  void Partitions(const std::vector<PartitionId>& listed) {
    auto expected = before_.partitions;
    expected.insert(after_.partitions.begin(), after_.partitions.end());
    for (const PartitionId partition : listed) {
      if (!expected.contains(partition)) Differs("a partition too many");
    }
    for (const auto& [partition, ignored] : expected) {
      Partition(partition, std::find(listed.begin(), listed.end(), partition) != listed.end());
    }
  }

  void Partition(PartitionId partition, bool is_listed) {
    const std::string name = "partition " + std::to_string(partition.value());
    RecoveredPartition recovered;
    if (is_listed) {
      if (const error_code error = wal_.Recover(partition, recovered)) return Damaged(name, error);
    }
    std::string difference;
    for (const Contents* contents : {&after_, &before_}) {
      const auto model = contents->partitions.find(partition);
      if ((model != contents->partitions.end()) != is_listed) {
        difference = is_listed ? "is there" : "is not there";
        continue;
      }
      if (!is_listed) return;
      difference = conformance::PartitionDifference(wal_, partition, model->second);
      if (!difference.empty()) continue;
      comparison_.found.partitions[partition] = model->second;
      return;
    }
    Differs(name + ": " + difference);
  }

  void Metadata(const std::string& name) {
    std::optional<Payload> value;
    if (const error_code error = wal_.GetMetadata(name, value)) return Damaged(name, error);
    const auto is_in = [&](const Contents& contents) {
      const auto expected = contents.metadata.find(name);
      return expected == contents.metadata.end() ? !value
                                                 : value && value->text() == expected->second;
    };
    if (!is_in(before_) && !is_in(after_)) Differs("metadata " + name);
    if (value) comparison_.found.metadata[name] = std::string(value->text());
  }

  void Differs(const std::string& what) {
    if (comparison_.difference.empty()) comparison_.difference = what;
  }
  void Damaged(const std::string& what, error_code error) {
    if (comparison_.damage.empty()) comparison_.damage = what + ": " + error.message();
  }

  Wal& wal_;
  const Contents& before_;
  const Contents& after_;
  Comparison comparison_;
};

// One call for each file set, until one fails.
error_code WriteBySet(Wal& wal, const std::vector<WriteUnit>& units) {
  for (std::size_t set = 0; set < wal.FileSets(); ++set) {
    std::vector<const WriteUnit*> chosen;
    for (const WriteUnit& unit : units) {
      if (wal.FileSetOf(unit.partition) == set) chosen.push_back(&unit);
    }
    if (chosen.empty()) continue;
    if (const error_code error = wal.Write(chosen)) return error;
  }
  return {};
}

}  // namespace

void Contents::Apply(const Step& step) {
  switch (step.kind) {
    case Step::Kind::kCreate: identity = MakeIdentity(); return;
    case Step::Kind::kWrite:
      for (const WriteUnit& unit : step.units) partitions[unit.partition].Apply(unit);
      return;
    case Step::Kind::kDelete: partitions.erase(step.partition); return;
    case Step::Kind::kMetadata: metadata[step.key] = step.value; return;
    case Step::Kind::kReopen: return;
  }
}

std::vector<Step> MakeScript(const ScriptOptions& options) { return Generator(options).Make(); }

error_code Run(Wal& wal, const Step& step) {
  switch (step.kind) {
    case Step::Kind::kCreate: return wal.Create(MakeIdentity());
    case Step::Kind::kDelete: return wal.DeletePartition(step.partition);
    case Step::Kind::kMetadata: return wal.PutMetadata(step.key, step.value);
    case Step::Kind::kWrite: return WriteBySet(wal, step.units);
    case Step::Kind::kReopen: break;
  }
  return RaftErrc::InvalidArgument;
}

Comparison Compare(Wal& wal, const std::optional<StoreIdentity>& identity, const Contents& before,
                   const Contents& after) {
  return Comparer(wal, before, after).Run(identity);
}

}  // namespace kommander::crash
