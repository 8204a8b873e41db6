// The store that the log stands for, and its history.
#include "invariants/linearizability.hpp"

#include <algorithm>
#include <cstring>

#include "chance.hpp"
#include "checkers/linearizability.hpp"

namespace kommander::sim {

using checkers::Outcome;
using checkers::RegisterKind;
using checkers::RegisterOperation;
using checkers::Value;

namespace {

constexpr std::uint64_t kSlots = 4;  // per partition
constexpr std::uint32_t kBegunMax = 150;
constexpr std::uint32_t kOpenMax = 5;

Value ValueOf(std::uint64_t operation, std::uint32_t ordinal) { return (operation << 8) + ordinal; }

}  // namespace

void Linearizability::OnLifeBegan(NodeId node) {
  Node& known = nodes_[node];
  ++known.life;
  known.values.clear();
  std::erase_if(positions_, [&](const auto& position) { return position.first.first == node; });
}

Linearizability::Key Linearizability::PickKey(PartitionId partition, std::uint64_t draw) {
  Slot& slot = slots_[{partition, draw % kSlots}];
  if (slot.key == 0 || slot.begun == kBegunMax || slot.open == kOpenMax) {
    slot_of_.erase(slot.key);
    slot = Slot{++last_key_, 0, 0};
    slot_of_[slot.key] = &slot;
  }
  ++slot.begun;
  ++slot.open;
  return slot.key;
}

Value Linearizability::Guess(Key key, std::uint64_t draw) const {
  const auto newest = newest_.find(key);
  return newest == newest_.end() || draw % 4 == 0 ? checkers::kAbsent : newest->second;
}

void Linearizability::Add(const ClientOperation& operation, std::uint32_t ordinal) {
  Chance chance(ValueOf(operation.id, ordinal));
  RegisterOperation added;
  added.client = static_cast<std::uint32_t>(operation.id);
  added.key = PickKey(operation.partition, chance.Next());
  added.call = ++now_;
  if (operation.kind == OperationKind::kWrite) {
    added.value = ValueOf(operation.id, ordinal);
    added.kind = RegisterKind::kWrite;
    const std::uint64_t dice = chance.Below(100);
    if (dice < 35) {
      added.kind = RegisterKind::kCompareAndSwap;
      added.expect = Guess(added.key, chance.Next());
    } else if (dice < 45) {
      added.kind = RegisterKind::kDelete;
    }
  }
  history_.push_back(added);
}

void Linearizability::OnBegan(const ClientOperation& operation) {
  const bool is_read = operation.kind == OperationKind::kRead;
  if (!is_read && operation.kind != OperationKind::kWrite) return;
  const std::uint32_t count = is_read ? 1 : operation.count;
  calls_[operation.id] = Call{history_.size(), count, operation.node, operation.life};
  for (std::uint32_t ordinal = 0; ordinal < count; ++ordinal) Add(operation, ordinal);
}

void Linearizability::Judge(RegisterOperation& operation, Value before) const {
  if (operation.kind == RegisterKind::kDelete) operation.did = before != checkers::kAbsent;
  if (operation.kind != RegisterKind::kCompareAndSwap) return;
  operation.did = before == operation.expect;
  if (!*operation.did) operation.seen = before;
}

void Linearizability::OnStateReplaced(NodeId node, PartitionId partition, std::size_t count) {
  const std::vector<Effect>& effects = effects_[partition];
  Node& known = nodes_[node];
  for (std::size_t i = 0; i < std::min(count, effects.size()); ++i) {
    if (effects[i].key != 0) known.values[effects[i].key] = effects[i].value;
  }
  positions_[{node, partition}] = count;
}

void Linearizability::OnDelivered(NodeId node, const RaftLog& log, bool) {
  const std::size_t position = positions_[{node, log.partition()}]++;
  std::vector<Effect>& effects = effects_[log.partition()];
  if (effects.size() <= position) effects.resize(position + 1);
  std::uint64_t id = 0;
  std::uint32_t ordinal = 0;
  if (log.type() != kOperationType || log.payload().size() < sizeof id + sizeof ordinal) return;
  std::memcpy(&id, log.payload().data(), sizeof id);
  std::memcpy(&ordinal, log.payload().data() + sizeof id, sizeof ordinal);
  const auto call = calls_.find(id);
  if (call == calls_.end() || ordinal >= call->second.count) return;
  RegisterOperation& operation = history_[call->second.first + ordinal];
  Node& known = nodes_[node];
  Value& value = known.values[operation.key];
  const bool is_asked = node == call->second.node && known.life == call->second.life;
  if (is_asked) Judge(operation, value);
  RegisterOperation effect = operation;
  effect.outcome = Outcome::kUnknown;  // it answers nobody here
  value = checkers::Apply(effect, value).value_or(value);
  newest_[operation.key] = value;
  effects[position] = Effect{operation.key, value};
}

void Linearizability::OnEnded(const ClientOperation& operation) {
  const auto call = calls_.find(operation.id);
  if (call == calls_.end() || operation.end != OperationEnd::kAnswered) return;
  Outcome outcome = Outcome::kOk;
  if (operation.error) {
    outcome = IsOutcomeUnknown(operation.error) ? Outcome::kUnknown : Outcome::kFailed;
  }
  const Node& node = nodes_[operation.node];
  // Whoever asked cannot look at the node any more.
  const bool is_gone = node.life != operation.life;
  if (operation.kind == OperationKind::kRead && is_gone) outcome = Outcome::kUnknown;
  if (outcome == Outcome::kUnknown) return;
  ++now_;
  for (std::uint32_t ordinal = 0; ordinal < call->second.count; ++ordinal) {
    RegisterOperation& ended = history_[call->second.first + ordinal];
    ended.outcome = outcome;
    if (const auto slot = slot_of_.find(ended.key); slot != slot_of_.end()) --slot->second->open;
    if (outcome != Outcome::kOk) continue;
    ended.end = now_;
    if (ended.kind != RegisterKind::kRead) continue;
    const auto value = node.values.find(ended.key);
    ended.seen = value == node.values.end() ? checkers::kAbsent : value->second;
  }
}

void Linearizability::OnRunEnded() {
  judged_ = 0;
  for (const checkers::KeyReport& report : checkers::CheckRegisters(history_)) {
    judged_ += report.operations;
    if (report.verdict == checkers::Verdict::kLinearizable) continue;
    Violate(checkers::Explain(report, history_));
  }
}

}  // namespace kommander::sim
