#include "multicast/table.hpp"

#include <algorithm>

namespace kommander::multicast {
namespace {

// The same process counts; another one of the same node must have spoken later. Times of one
// millisecond are taken for a repetition: no process ends and begins within one.
template <class Record>
bool IsLater(const Announcement& said, const Record& heard) noexcept {
  return said.boot == heard.boot ? said.number > heard.number : said.time_ms > heard.time_ms;
}

}  // namespace

Table::Verdict Table::Accept(const Announcement& announcement, Instant now) {
  auto found = records_.find(announcement.node.id);
  if (found == records_.end()) {
    if (records_.size() >= limits_.nodes_max) return Verdict::kFull;
    found = records_.try_emplace(announcement.node.id).first;
  } else if (!IsLater(announcement, found->second)) {
    return Verdict::kRepeated;
  }
  Record& record = found->second;
  const bool is_new = !IsNamed(record, now) || record.boot != announcement.boot;
  record.endpoint = announcement.node.endpoint;
  record.boot = announcement.boot;
  record.number = announcement.number;
  record.time_ms = std::max(record.time_ms, announcement.time_ms);
  record.heard = now;
  record.speaks = true;
  return is_new ? Verdict::kNew : Verdict::kKnown;
}

std::vector<NodeAddress> Table::Nodes(Instant now) const {
  std::vector<NodeAddress> nodes;
  for (const auto& [id, record] : records_) {
    if (IsNamed(record, now)) nodes.emplace_back(id, record.endpoint);
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const NodeAddress& a, const NodeAddress& b) { return a.id < b.id; });
  return nodes;
}

std::uint64_t Table::Expire(Instant now) {
  // The sender's clock may have been ahead by the skew when it was heard, and is accepted until it
  // is behind by as much.
  const Duration kept = std::max(limits_.expiry, 2 * limits_.clock_skew);
  std::uint64_t silent = 0;
  for (auto it = records_.begin(); it != records_.end();) {
    Record& record = it->second;
    if (record.speaks && !IsNamed(record, now)) {
      record.speaks = false;
      ++silent;
    }
    it = now - record.heard > kept ? records_.erase(it) : std::next(it);
  }
  return silent;
}

}  // namespace kommander::multicast
