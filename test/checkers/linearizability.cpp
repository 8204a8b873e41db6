// The search: calls and answers in one doubly linked list by time. From its head on, a call whose
// answer has not passed may come next; if the register accepts it, call and answer are lifted out
// and the walk begins anew. An answer that is met must be undone: the last lifted operation goes
// back to its place, and the walk goes on behind it. A set of operations that has led to a value
// once need not be tried again.
#include "linearizability.hpp"

#include <algorithm>
#include <map>
#include <unordered_set>

namespace kommander::checkers {

namespace {

// One call or one answer; 0 is the head of the list.
struct Event {
  std::size_t operation = 0;
  std::size_t answer = 0;  // of a call: its answer, 0 when none ever comes; of an answer: 0
  std::size_t previous = 0;
  std::size_t next = 0;
  bool is_call = false;
};

// The operations that are lifted, and the value that they have led to.
struct Situation {
  std::vector<std::uint64_t> lifted;
  Value value = kAbsent;
  friend bool operator==(const Situation&, const Situation&) = default;
};

struct SituationHash {
  std::size_t operator()(const Situation& situation) const noexcept {
    std::uint64_t hash = situation.value;
    for (const std::uint64_t word : situation.lifted) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    }
    return static_cast<std::size_t>(hash);
  }
};

class Search {
 public:
  Search(std::span<const RegisterOperation> history, std::vector<std::size_t> operations)
      : history_(history), operations_(std::move(operations)) {
    Link();
    now_.lifted.resize((operations_.size() + 63) / 64);
  }

  KeyReport Run(std::uint64_t steps_max);

 private:
  struct Lifted {
    std::size_t call = 0;
    Value before = kAbsent;
  };
  void Link();
  bool TryCall(std::size_t call);
  bool Undo(std::size_t& place);
  void Lift(std::size_t call);
  void Unlift(std::size_t call);
  void Flip(std::size_t operation) {
    now_.lifted[operation / 64] ^= std::uint64_t{1} << (operation % 64);
  }
  void RememberLongest();
  [[nodiscard]] std::vector<std::size_t> Order() const {
    std::vector<std::size_t> order;
    for (const Lifted& lifted : stack_) order.push_back(events_[lifted.call].operation);
    return order;
  }
  void Finish(KeyReport& report) const;

  std::span<const RegisterOperation> history_;
  const std::vector<std::size_t> operations_;  // of the history, those that count
  std::vector<Event> events_;
  std::size_t answers_left_ = 0;
  Situation now_;
  std::vector<Lifted> stack_;
  std::unordered_set<Situation, SituationHash> been_;
  std::vector<std::size_t> longest_;  // order that could not go on
  Value longest_value_ = kAbsent;
};

void Search::Link() {
  struct Moment {
    std::int64_t at;
    bool is_answer;  // at one instant calls come first: such operations overlap
    std::size_t operation;
  };
  std::vector<Moment> moments;
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const RegisterOperation& operation = history_[operations_[i]];
    moments.push_back({operation.call, false, i});
    if (operation.outcome == Outcome::kOk) moments.push_back({operation.end, true, i});
  }
  std::stable_sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
    return a.at != b.at ? a.at < b.at : a.is_answer < b.is_answer;
  });
  events_.resize(moments.size() + 1);
  std::vector<std::size_t> calls(operations_.size());
  for (std::size_t i = 0; i < moments.size(); ++i) {
    Event& event = events_[i + 1];
    event.operation = moments[i].operation;
    event.is_call = !moments[i].is_answer;
    event.previous = i;
    event.next = i + 2 < events_.size() ? i + 2 : 0;
    if (event.is_call) {
      calls[event.operation] = i + 1;
    } else {
      events_[calls[event.operation]].answer = i + 1;
      ++answers_left_;
    }
  }
  events_[0].next = events_.size() > 1 ? 1 : 0;
  events_[0].previous = events_.size() - 1;
}

void Search::Lift(std::size_t call) {
  for (const std::size_t place : {call, events_[call].answer}) {
    if (place == 0) continue;  // an operation without an answer
    events_[events_[place].previous].next = events_[place].next;
    events_[events_[place].next].previous = events_[place].previous;
  }
  if (events_[call].answer != 0) --answers_left_;
}

void Search::Unlift(std::size_t call) {
  for (const std::size_t place : {events_[call].answer, call}) {
    if (place == 0) continue;
    events_[events_[place].previous].next = place;
    events_[events_[place].next].previous = place;
  }
  if (events_[call].answer != 0) ++answers_left_;
}

bool Search::TryCall(std::size_t call) {
  const std::size_t operation = events_[call].operation;
  const Value before = now_.value;
  const std::optional<Value> after = Apply(history_[operations_[operation]], before);
  if (!after) return false;
  // Without an answer and without an effect it is as good as left out.
  if (*after == before && events_[call].answer == 0) return false;
  Flip(operation);
  now_.value = *after;
  if (!been_.insert(now_).second) {
    Flip(operation);
    now_.value = before;
    return false;
  }
  stack_.push_back({call, before});
  Lift(call);
  return true;
}

// The last operation goes back; the walk goes on behind its call. False: there is none.
bool Search::Undo(std::size_t& place) {
  if (stack_.empty()) return false;
  const Lifted last = stack_.back();
  stack_.pop_back();
  Unlift(last.call);
  Flip(events_[last.call].operation);
  now_.value = last.before;
  place = events_[last.call].next;
  return true;
}

void Search::RememberLongest() {
  if (stack_.size() <= longest_.size()) return;
  longest_ = Order();
  longest_value_ = now_.value;
}

void Search::Finish(KeyReport& report) const {
  const bool is_whole = report.verdict == Verdict::kLinearizable;
  for (const std::size_t operation : is_whole ? Order() : longest_)
    report.order.push_back(operations_[operation]);
  report.last = is_whole ? now_.value : longest_value_;
}

KeyReport Search::Run(std::uint64_t steps_max) {
  KeyReport report;
  report.operations = operations_.size();
  std::size_t place = events_[0].next;
  while (answers_left_ > 0) {
    if (report.steps == steps_max) {
      report.verdict = Verdict::kUndecided;
      break;
    }
    ++report.steps;
    if (events_[place].is_call) {
      place = TryCall(place) ? events_[0].next : events_[place].next;
      continue;
    }
    RememberLongest();
    if (!Undo(place)) {
      report.verdict = Verdict::kIllegal;
      break;
    }
  }
  Finish(report);
  return report;
}

// Whether its answer fits many values before it, and not all.
bool SeesSomeValue(const RegisterOperation& operation) {
  if (operation.outcome != Outcome::kOk || operation.seen) return false;
  if (operation.kind == RegisterKind::kDelete) return operation.did.value_or(false);
  return operation.kind == RegisterKind::kCompareAndSwap && !operation.did.value_or(false);
}

// A write without an answer whose value nobody has seen or wanted can be left out: in an order that
// has it, nobody stands between it and the next change but operations that fit any value, or that
// have no answer themselves. Somebody who sees some value could stand there; then all stay. This
// keeps the search from trying every subset of what was lost on the way.
std::vector<std::size_t> ThoseThatCount(std::span<const RegisterOperation> history,
                                        const std::vector<std::size_t>& operations) {
  bool some_value_is_seen = false;
  std::unordered_set<Value> noticed;
  for (const std::size_t i : operations) {
    const RegisterOperation& operation = history[i];
    if (operation.outcome == Outcome::kFailed) continue;
    if (operation.kind == RegisterKind::kCompareAndSwap) noticed.insert(operation.expect);
    if (operation.outcome == Outcome::kOk && operation.seen) noticed.insert(*operation.seen);
    some_value_is_seen = some_value_is_seen || SeesSomeValue(operation);
  }
  std::vector<std::size_t> counting;
  for (const std::size_t i : operations) {
    const RegisterOperation& operation = history[i];
    if (operation.outcome == Outcome::kFailed) continue;
    if (operation.outcome == Outcome::kUnknown) {
      if (operation.kind == RegisterKind::kRead) continue;
      const bool is_hidden = operation.kind == RegisterKind::kWrite && !some_value_is_seen &&
                             !noticed.contains(operation.value);
      if (is_hidden) continue;
    }
    counting.push_back(i);
  }
  return counting;
}

// The history as it was known when the last of `answered` had been answered, and no later one.
KeyReport CheckPrefix(std::span<const RegisterOperation> history,
                      const std::vector<std::size_t>& operations,
                      std::span<const std::size_t> answered, std::uint64_t steps_max) {
  std::vector<RegisterOperation> known(history.begin(), history.end());
  const std::int64_t now = answered.empty() ? 0 : history[answered.back()].end;
  for (const std::size_t i : operations) {
    if (known[i].outcome != Outcome::kOk) continue;
    if (std::find(answered.begin(), answered.end(), i) != answered.end()) continue;
    known[i].outcome = Outcome::kUnknown;
    known[i].end = kOpenEnd;
  }
  std::vector<std::size_t> called;
  for (const std::size_t i : operations) {
    if (!answered.empty() && known[i].call <= now) called.push_back(i);
  }
  return Search(known, ThoseThatCount(known, called)).Run(steps_max);
}

// Halves what is answered until one answer more or less decides.
void Blame(std::span<const RegisterOperation> history, const std::vector<std::size_t>& operations,
           std::uint64_t steps_max, KeyReport& report) {
  std::vector<std::size_t> answered;
  for (const std::size_t i : operations) {
    if (history[i].outcome == Outcome::kOk) answered.push_back(i);
  }
  std::stable_sort(answered.begin(), answered.end(),
                   [&](std::size_t a, std::size_t b) { return history[a].end < history[b].end; });
  std::size_t good = 0;
  std::size_t bad = answered.size();
  const std::span<const std::size_t> all(answered);
  KeyReport last_good;
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    KeyReport part = CheckPrefix(history, operations, all.first(middle), steps_max);
    report.steps += part.steps;
    if (part.verdict == Verdict::kIllegal) {
      bad = middle;
    } else {
      good = middle;
      last_good = std::move(part);
    }
  }
  report.culprit = answered[bad - 1];
  report.order = std::move(last_good.order);
  report.last = last_good.last;
  for (const std::size_t i : operations) {
    if (i == report.culprit || history[i].outcome == Outcome::kFailed) continue;
    if (history[i].call > history[report.culprit].end) continue;
    const bool is_placed =
        std::find(report.order.begin(), report.order.end(), i) != report.order.end();
    if (!is_placed) report.open.push_back(i);
  }
}

KeyReport CheckSome(std::span<const RegisterOperation> history,
                    const std::vector<std::size_t>& operations, std::uint64_t steps_max) {
  KeyReport report = Search(history, ThoseThatCount(history, operations)).Run(steps_max);
  if (report.verdict == Verdict::kIllegal) Blame(history, operations, steps_max, report);
  return report;
}

}  // namespace

std::string_view ToString(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kLinearizable: return "linearizable";
    case Verdict::kIllegal: return "ILLEGAL";
    case Verdict::kUndecided: return "UNDECIDED";
  }
  return "?";
}

KeyReport CheckRegister(std::span<const RegisterOperation> history, std::uint64_t steps_max) {
  std::vector<std::size_t> all(history.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  KeyReport report = CheckSome(history, all, steps_max);
  report.key = history.empty() ? 0 : history.front().key;
  return report;
}

std::vector<KeyReport> CheckRegisters(std::span<const RegisterOperation> history,
                                      std::uint64_t steps_max) {
  std::map<std::uint64_t, std::vector<std::size_t>> keys;
  for (std::size_t i = 0; i < history.size(); ++i) keys[history[i].key].push_back(i);
  std::vector<KeyReport> reports;
  for (const auto& [key, operations] : keys) {
    reports.push_back(CheckSome(history, operations, steps_max));
    reports.back().key = key;
  }
  return reports;
}

std::string Explain(const KeyReport& report, std::span<const RegisterOperation> history,
                    const ValueText& show) {
  constexpr std::size_t kShown = 12;
  std::string text = "key " + std::to_string(report.key) + ": " +
                     std::string(ToString(report.verdict)) + ", " +
                     std::to_string(report.operations) + " operations, " +
                     std::to_string(report.steps) + " steps\n";
  if (report.verdict == Verdict::kLinearizable) return text;
  text += "  the longest order found has " + std::to_string(report.order.size()) + ", the last:\n";
  const std::size_t shown = std::min(kShown, report.order.size());
  for (std::size_t i = report.order.size() - shown; i < report.order.size(); ++i) {
    text += "    " + Describe(history[report.order[i]], show) + "\n";
  }
  text += "  then the value is " +
          (report.last == kAbsent ? std::string("nothing") : show(report.last)) + "\n";
  if (report.verdict != Verdict::kIllegal) return text;
  text += "  no order goes on to\n    " + Describe(history[report.culprit], show) + "\n";
  if (!report.open.empty()) text += "  also called by then:\n";
  for (std::size_t i = 0; i < std::min(kShown, report.open.size()); ++i) {
    text += "    " + Describe(history[report.open[i]], show) + "\n";
  }
  return text;
}

}  // namespace kommander::checkers
