// Three nodes with a disk each, and nothing that knows how to behave: what a history of a test is
// told with, and which invariants fire on it.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "checker.hpp"
#include "raft/membership.hpp"

namespace kommander::sim {

inline constexpr PartitionId kPartition = 1;

inline Entry MakeEntry(std::uint64_t index, std::uint64_t term, const char* body = "body") {
  return {Term(term), LogIndex(index), EntryKind::kApplication, Ticket(), Payload(body)};
}

inline Entry MakeConfigurationEntry(std::uint64_t index, std::uint64_t term,
                                    const Configuration& configuration) {
  return {Term(term), LogIndex(index), EntryKind::kConfiguration, Ticket(),
          raft::EncodeConfiguration(configuration)};
}

struct Bench {
  Bench() {
    for (std::uint32_t id = 1; id <= 3; ++id) {
      disks.push_back(std::make_shared<SimDisk>(NodeId(id), Chance(id), &checker));
      checker.AddDisk(NodeId(id), disks.back());
      checker.LifeBegan(NodeId(id));
      WriteUnit creation = Unit();
      creation.boundary = BoundaryRecord();
      creation.boundary->configuration = Configuration({NodeId(1), NodeId(2), NodeId(3)});
      Sync(id, creation);
    }
  }
  static WriteUnit Unit(std::vector<Entry> entries = {}) {
    WriteUnit unit;
    unit.partition = kPartition;
    unit.entries = std::move(entries);
    return unit;
  }
  static WriteUnit Vote(std::uint64_t term, std::uint32_t vote) {
    WriteUnit unit = Unit();
    unit.hard_state = HardState{Term(term), NodeId(vote)};
    return unit;
  }
  // Handed to the scheduler, with the next number.
  void Submit(std::uint32_t node, WriteUnit unit) {
    unit.unit = UnitId(++numbers[node - 1]);
    checker.OnSubmitted(NodeId(node), unit);
  }
  void Sync(std::uint32_t node, const WriteUnit& unit) {
    const WriteUnit* const units[] = {&unit};
    (void)disks[node - 1]->Write(units);
  }
  void Store(std::uint32_t node, const WriteUnit& unit) {
    Submit(node, unit);
    Sync(node, unit);
  }
  // What the node shows from now on.
  void Show(std::uint32_t node, Role role, std::uint64_t term, std::uint64_t last,
            std::uint64_t durable, std::uint64_t committed, std::uint64_t applied,
            std::uint64_t digest = 0, std::uint32_t leader = 0) {
    PartitionStatus status;
    status.partition = kPartition;
    status.role = role;
    status.term = Term(term);
    status.leader = NodeId(leader);
    status.last = LogIndex(last);
    status.durable = LogIndex(durable);
    status.committed = LogIndex(committed);
    status.applied = LogIndex(applied);
    status.digest = digest == 0 ? applied : digest;
    checker.Look(NodeId(node), status);
  }
  void Send(std::uint32_t from, std::uint32_t to, std::uint64_t term, MessageBody body) {
    checker.OnSent(NodeId(from),
                   Message(kPartition, NodeId(from), NodeId(to), Term(term), std::move(body)));
  }
  void Deliver(std::uint32_t node, std::uint64_t index, std::uint64_t term, std::uint64_t operation,
               std::uint32_t ordinal = 0, bool restored = false,
               std::optional<std::uint32_t> written_as = std::nullopt,
               const char* type = kOperationType) {
    std::vector<std::byte> bytes(sizeof operation + (written_as ? sizeof *written_as : 0));
    std::memcpy(bytes.data(), &operation, sizeof operation);
    if (written_as) std::memcpy(&bytes[sizeof operation], &*written_as, sizeof *written_as);
    checker.Delivered(NodeId(node),
                      RaftLog(kPartition, LogIndex(index), ordinal, Term(term), Ticket(), type,
                              Payload(std::move(bytes))),
                      restored);
  }
  ClientOperation Operation(std::uint64_t id, OperationKind kind, std::uint32_t node) const {
    ClientOperation operation;
    operation.id = id;
    operation.kind = kind;
    operation.node = NodeId(node);
    operation.partition = kPartition;
    return operation;
  }
  void Answer(ClientOperation operation, error_code error, std::uint64_t index = 0,
              std::uint64_t term = 0) {
    operation.end = OperationEnd::kAnswered;
    operation.error = error;
    operation.index = LogIndex(index);
    operation.term = Term(term);
    checker.Ended(operation);
  }
  [[nodiscard]] std::set<std::string> Fired() const {
    std::set<std::string> names;
    for (const Violation& violation : checker.violations()) names.insert(violation.invariant);
    if (!has_elections) names.erase("elected by a quorum");
    return names;
  }
  [[nodiscard]] bool Fired(const std::string& name) const { return Fired().contains(name); }

  Checker checker;
  std::vector<std::shared_ptr<SimDisk>> disks;
  std::uint64_t numbers[3] = {};
  // Most histories show leaders that nobody has elected; one invariant minds.
  bool has_elections = false;
};

using Names = std::set<std::string>;

}  // namespace kommander::sim
