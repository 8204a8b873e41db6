// One partition after the other; what is promised first, then what each node has.
#include "append_log.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <utility>

namespace kommander::checkers {

namespace {

constexpr std::size_t kToldPerFlaw = 5;

std::string Text(const Append& append) { return "\"" + append.data.substr(0, 60) + "\""; }

class PartitionCheck {
 public:
  PartitionCheck(std::uint32_t partition, std::vector<const Append*> appends,
                 std::vector<const AppliedLog*> logs, std::vector<LogFinding>& findings)
      : partition_(partition),
        appends_(std::move(appends)),
        logs_(std::move(logs)),
        findings_(findings) {
    for (const Append* append : appends_) by_data_.emplace(append->data, append);
  }

  void Run() {
    CheckPromises();
    for (const AppliedLog* log : logs_) {
      CheckOrderOf(*log);
      CheckPromisesKept(*log, CheckLinesOf(*log));
    }
    CheckAgreement();
    CheckRealTime();
  }

 private:
  using Places = std::unordered_map<std::string_view, std::uint64_t>;

  void Find(LogFlaw flaw, std::uint32_t node, const std::string& what) {
    const std::size_t told = ++told_[{flaw, node}];
    if (told > kToldPerFlaw) return;
    std::string where = "partition " + std::to_string(partition_);
    if (node != 0) where += ", node " + std::to_string(node);
    findings_.push_back({flaw, where + ": " + what});
  }
  void CheckPromises();
  void CheckOrderOf(const AppliedLog& log);
  // Where each line of the log is.
  Places CheckLinesOf(const AppliedLog& log);
  void CheckPromisesKept(const AppliedLog& log, const Places& own);
  void CheckAgreement();
  void CheckRealTime();
  [[nodiscard]] std::uint64_t PlaceOf(const Append& append) const;

  const std::uint32_t partition_;
  const std::vector<const Append*> appends_;
  const std::vector<const AppliedLog*> logs_;
  std::vector<LogFinding>& findings_;
  std::unordered_map<std::string_view, const Append*> by_data_;
  Places places_;  // in any log, the first one seen
  std::map<std::pair<LogFlaw, std::uint32_t>, std::size_t> told_;
};

void PartitionCheck::CheckPromises() {
  std::unordered_map<std::uint64_t, const Append*> promised;
  for (const Append* append : appends_) {
    if (append->outcome != Outcome::kOk) continue;
    const auto [place, is_new] = promised.emplace(append->index, append);
    if (is_new) continue;
    Find(LogFlaw::kMisplaced, 0,
         "index " + std::to_string(append->index) + " was promised to " + Text(*place->second) +
             " and to " + Text(*append));
  }
}

void PartitionCheck::CheckOrderOf(const AppliedLog& log) {
  for (std::size_t i = 1; i < log.lines.size(); ++i) {
    const AppliedLine& before = log.lines[i - 1];
    const AppliedLine& line = log.lines[i];
    if (line.index <= before.index) {
      Find(LogFlaw::kOrder, log.node,
           "index " + std::to_string(line.index) + " comes after " + std::to_string(before.index));
    }
    if (line.term < before.term) {
      Find(LogFlaw::kOrder, log.node,
           "index " + std::to_string(line.index) + " is of term " + std::to_string(line.term) +
               ", after one of term " + std::to_string(before.term));
    }
  }
}

PartitionCheck::Places PartitionCheck::CheckLinesOf(const AppliedLog& log) {
  Places own;
  for (const AppliedLine& line : log.lines) {
    const auto [place, is_new] = own.emplace(line.data, line.index);
    if (!is_new) {
      Find(LogFlaw::kDuplicate, log.node,
           "\"" + line.data.substr(0, 60) + "\" stands at " + std::to_string(place->second) +
               " and at " + std::to_string(line.index));
    }
    places_.emplace(line.data, line.index);
    const auto append = by_data_.find(line.data);
    if (append == by_data_.end() || append->second->outcome == Outcome::kFailed) {
      const bool is_unknown = append == by_data_.end();
      Find(LogFlaw::kPhantom, log.node,
           "\"" + line.data.substr(0, 60) + "\" at " + std::to_string(line.index) +
               (is_unknown ? ", which nobody appended" : ", which was refused"));
    }
  }
  return own;
}

void PartitionCheck::CheckPromisesKept(const AppliedLog& log, const Places& own) {
  std::uint64_t last = 0;
  for (const AppliedLine& line : log.lines) last = std::max(last, line.index);
  for (const Append* append : appends_) {
    if (append->outcome != Outcome::kOk) continue;
    const auto place = own.find(append->data);
    if (place == own.end()) {
      Find(append->index > last ? LogFlaw::kLostTail : LogFlaw::kHole, log.node,
           Text(*append) + ", acknowledged at " + std::to_string(append->index) +
               ", is not there; the last index is " + std::to_string(last));
    } else if (place->second != append->index) {
      Find(LogFlaw::kMisplaced, log.node,
           Text(*append) + ", acknowledged at " + std::to_string(append->index) + ", is at " +
               std::to_string(place->second));
    }
  }
}

// Line by line against the first node's; the place where two begin to differ is told.
void PartitionCheck::CheckAgreement() {
  for (std::size_t i = 1; i < logs_.size(); ++i) {
    const auto& first = logs_[0]->lines;
    const auto& other = logs_[i]->lines;
    const auto [a, b] = std::mismatch(first.begin(), first.end(), other.begin(), other.end(),
                                      [](const AppliedLine& left, const AppliedLine& right) {
                                        return left.index == right.index &&
                                               left.term == right.term && left.data == right.data;
                                      });
    if (a == first.end() && b == other.end()) continue;
    const auto text = [](auto line, auto end) {
      if (line == end) return std::string("nothing");
      return "(" + std::to_string(line->index) + ", term " + std::to_string(line->term) + ", \"" +
             line->data.substr(0, 60) + "\")";
    };
    Find(LogFlaw::kDivergence, logs_[i]->node,
         "line " + std::to_string(a - first.begin()) + " is " + text(b, other.end()) +
             ", on node " + std::to_string(logs_[0]->node) + " it is " + text(a, first.end()));
  }
}

std::uint64_t PartitionCheck::PlaceOf(const Append& append) const {
  if (append.outcome == Outcome::kOk) return append.index;
  const auto place = places_.find(append.data);
  return place == places_.end() ? 0 : place->second;
}

// By calls and answers in time: whatever is sent must go beyond all that was acknowledged by then.
void PartitionCheck::CheckRealTime() {
  std::vector<const Append*> by_call = appends_;
  std::vector<const Append*> by_end;
  for (const Append* append : appends_) {
    if (append->outcome == Outcome::kOk) by_end.push_back(append);
  }
  std::stable_sort(by_call.begin(), by_call.end(),
                   [](const Append* a, const Append* b) { return a->call < b->call; });
  std::stable_sort(by_end.begin(), by_end.end(),
                   [](const Append* a, const Append* b) { return a->end < b->end; });
  auto ended = by_end.begin();
  const Append* highest = nullptr;
  for (const Append* append : by_call) {
    for (; ended != by_end.end() && (*ended)->end < append->call; ++ended) {
      if (highest == nullptr || (*ended)->index > highest->index) highest = *ended;
    }
    const std::uint64_t place = PlaceOf(*append);
    if (place == 0 || highest == nullptr || place > highest->index) continue;
    Find(LogFlaw::kOrder, 0,
         Text(*append) + " is at " + std::to_string(place) + ", but it was sent after " +
             Text(*highest) + " had been acknowledged at " + std::to_string(highest->index));
  }
}

}  // namespace

std::string_view ToString(LogFlaw flaw) noexcept {
  switch (flaw) {
    case LogFlaw::kHole: return "hole";
    case LogFlaw::kLostTail: return "lost tail";
    case LogFlaw::kDuplicate: return "duplicate";
    case LogFlaw::kMisplaced: return "misplaced";
    case LogFlaw::kPhantom: return "phantom";
    case LogFlaw::kDivergence: return "divergence";
    case LogFlaw::kOrder: return "order";
  }
  return "?";
}

std::optional<std::string> FindFlaw(std::span<const Append> appends,
                                    std::span<const AppliedLog> logs) {
  std::set<std::pair<std::uint32_t, std::string_view>> texts;
  for (const Append& append : appends) {
    if (!texts.emplace(append.partition, append.data).second) {
      return "two appends of partition " + std::to_string(append.partition) + " are " +
             Text(append);
    }
    if (append.outcome != Outcome::kOk) continue;
    if (append.index == 0) return Text(append) + " was acknowledged without an index";
    if (append.end == kOpenEnd || append.end < append.call) {
      return Text(append) + " was acknowledged at no time, or before its call";
    }
  }
  std::map<std::uint32_t, std::set<std::uint32_t>> nodes;  // of each partition
  for (const Append& append : appends) nodes[append.partition];
  for (const AppliedLog& log : logs) {
    if (nodes[log.partition].insert(log.node).second) continue;
    return "two logs of node " + std::to_string(log.node) + ", partition " +
           std::to_string(log.partition);
  }
  for (const auto& [partition, owners] : nodes) {
    if (!owners.empty() && owners == nodes.begin()->second) continue;
    return "partition " + std::to_string(partition) + " lacks the log of some node";
  }
  return std::nullopt;
}

std::vector<LogFinding> CheckAppendLogs(std::span<const Append> appends,
                                        std::span<const AppliedLog> logs) {
  std::map<std::uint32_t, std::pair<std::vector<const Append*>, std::vector<const AppliedLog*>>>
      partitions;
  for (const Append& append : appends) partitions[append.partition].first.push_back(&append);
  for (const AppliedLog& log : logs) partitions[log.partition].second.push_back(&log);
  std::vector<LogFinding> findings;
  for (auto& [partition, parts] : partitions) {
    PartitionCheck(partition, std::move(parts.first), std::move(parts.second), findings).Run();
  }
  return findings;
}

}  // namespace kommander::checkers
