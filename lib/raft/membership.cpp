// Configurations as values: encoding, the two steps of a change, and the history in the log.
#include "raft/membership.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <kommander/assert.hpp>

namespace kommander::raft {
namespace {

void PutList(std::vector<std::byte>& bytes, const std::vector<NodeId>& list) {
  const auto put = [&bytes](std::uint32_t value, int count) {
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
  };
  put(static_cast<std::uint32_t>(list.size()), 2);
  for (const NodeId node : list) put(node.value(), 4);
}

std::optional<std::uint32_t> TakeInteger(ByteSpan& bytes, std::size_t count) {
  if (bytes.size() < count) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    value |= std::to_integer<std::uint32_t>(bytes[i]) << (8 * i);
  }
  bytes = bytes.subspan(count);
  return value;
}

bool TakeList(ByteSpan& bytes, std::vector<NodeId>& list) {
  const auto count = TakeInteger(bytes, 2);
  if (!count || bytes.size() < std::size_t{*count} * 4) return false;
  list.reserve(*count);
  for (std::uint32_t i = 0; i < *count; ++i) {
    const NodeId node(*TakeInteger(bytes, 4));
    if (!node || (!list.empty() && list.back() >= node)) return false;
    list.push_back(node);
  }
  return true;
}

}  // namespace

Payload EncodeConfiguration(const Configuration& configuration) {
  std::vector<std::byte> bytes;
  bytes.reserve(6 + 4 * (configuration.voters.size() + configuration.outgoing_voters.size() +
                         configuration.learners.size()));
  PutList(bytes, configuration.voters);
  PutList(bytes, configuration.outgoing_voters);
  PutList(bytes, configuration.learners);
  return Payload(std::move(bytes));
}

std::optional<Configuration> DecodeConfiguration(ByteSpan bytes) {
  Configuration configuration;
  if (!TakeList(bytes, configuration.voters) || !TakeList(bytes, configuration.outgoing_voters) ||
      !TakeList(bytes, configuration.learners) || !bytes.empty()) {
    return std::nullopt;
  }
  return configuration;
}

bool IsValidTarget(const Configuration& target) noexcept {
  constexpr std::size_t kListMax = 0xFFFF;
  if (target.voters.empty() || target.IsJoint()) return false;
  if (target.voters.size() > kListMax || target.learners.size() > kListMax) return false;
  if (target.IsVoter(NodeId()) || target.IsLearner(NodeId())) return false;
  const auto ascends = [](const std::vector<NodeId>& list) {
    return std::adjacent_find(list.begin(), list.end(), std::greater_equal<>()) == list.end();
  };
  if (!ascends(target.voters) || !ascends(target.learners)) return false;
  return std::none_of(target.learners.begin(), target.learners.end(),
                      [&](NodeId learner) { return target.IsVoter(learner); });
}

Configuration FirstStep(const Configuration& current, const Configuration& target) {
  if (current.voters == target.voters) return target;
  return Configuration(target.voters, target.learners, current.voters);
}

Configuration LeaveJoint(const Configuration& joint) {
  return Configuration(joint.voters, joint.learners);
}

ConfigurationHistory::ConfigurationHistory(LogIndex index, Configuration configuration) {
  all_.push_back({index, std::move(configuration)});
}

const Configuration& ConfigurationHistory::At(LogIndex index) const noexcept {
  for (std::size_t i = all_.size() - 1; i > 0; --i) {
    if (all_[i].index <= index) return all_[i].configuration;
  }
  return all_.front().configuration;
}

bool ConfigurationHistory::MayLead(NodeId node, LogIndex committed) const noexcept {
  for (std::size_t i = all_.size(); i > 0; --i) {
    if (all_[i - 1].configuration.IsVoter(node)) return true;
    if (all_[i - 1].index <= committed) return false;
  }
  return false;
}

LogIndex ConfigurationHistory::IndexAt(LogIndex index) const noexcept {
  for (std::size_t i = all_.size() - 1; i > 0; --i) {
    if (all_[i].index <= index) return all_[i].index;
  }
  return all_.front().index;
}

void ConfigurationHistory::Append(LogIndex index, Configuration configuration) {
  KOMMANDER_ASSERT(index > active_index(), "configurations follow the log");
  all_.push_back({index, std::move(configuration)});
}

bool ConfigurationHistory::TruncateFrom(LogIndex from) {
  const std::size_t before = all_.size();
  while (all_.size() > 1 && all_.back().index >= from) all_.pop_back();
  return all_.size() != before;
}

void ConfigurationHistory::CompactTo(LogIndex index) {
  std::size_t kept = 0;
  while (kept + 1 < all_.size() && all_[kept + 1].index <= index) ++kept;
  all_.erase(all_.begin(), all_.begin() + static_cast<std::ptrdiff_t>(kept));
}

void ConfigurationHistory::Reset(LogIndex index, Configuration configuration) {
  all_.clear();
  all_.push_back({index, std::move(configuration)});
}

}  // namespace kommander::raft
