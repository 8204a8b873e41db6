// What became of the seeds: all good, or the first one that was not, with what repeats it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kommander::testing {

// One seed under which something did not hold.
class Failure {
 public:
  Failure(std::uint64_t seed, std::string invariant, std::string what)
      : seed_(seed), invariant_(std::move(invariant)), what_(std::move(what)) {}
  Failure& Plan(std::string text) {
    plan_ = std::move(text);
    return *this;
  }
  Failure& Replay(std::string arguments) {
    replay_ = std::move(arguments);
    return *this;
  }

  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  // The promise that was broken first: the scenario's own, one of the library's, or "stuck" when
  // the healed cluster did not recover.
  [[nodiscard]] const std::string& invariant() const noexcept { return invariant_; }
  [[nodiscard]] const std::string& what() const noexcept { return what_; }
  // The faults that are enough, one per line, for Options::Plan; all of them if it was not cut
  // down.
  [[nodiscard]] const std::string& plan() const noexcept { return plan_; }
  // Arguments for Options::Parse, or the program of testing::Main that failed, with which the seed
  // fails again, step by step; separated by blanks, none of which is in an argument.
  [[nodiscard]] const std::string& replay() const noexcept { return replay_; }

 private:
  std::uint64_t seed_;
  std::string invariant_;
  std::string what_;
  std::string plan_;
  std::string replay_;
};

// How often faults took effect, by the names of Options::OnlyFaults.
using FaultCounts = std::map<std::string, std::uint64_t, std::less<>>;

class Result {
 public:
  Result() = default;

  // No seed failed, and there were as many faults as Options::RequireFaults wants.
  [[nodiscard]] bool IsGood() const noexcept { return !failure_ && lacks_.empty(); }
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  // A line for every kind of fault that was missed by Options::RequireFaults; none after a failure.
  [[nodiscard]] const std::vector<std::string>& lacks() const noexcept { return lacks_; }
  // Seeds that were run, the failing one included.
  [[nodiscard]] std::uint64_t seeds() const noexcept { return seeds_; }
  // Faults that took effect, and calls of clients: few of either prove little.
  [[nodiscard]] std::uint64_t faults() const noexcept {
    return std::accumulate(faults_.begin(), faults_.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const auto& kind) { return sum + kind.second; });
  }
  // By kind: every one of FaultNames() once a seed was run, also those that never took effect.
  [[nodiscard]] const FaultCounts& faults_by_kind() const noexcept { return faults_; }
  // 0 for a kind that there is not.
  [[nodiscard]] std::uint64_t faults(std::string_view kind) const noexcept {
    const auto found = faults_.find(kind);
    return found == faults_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // All of it for a person.
  [[nodiscard]] std::string Text() const;

  void AddSeed(const FaultCounts& faults, std::uint64_t calls) {
    ++seeds_;
    for (const auto& [kind, count] : faults) faults_[kind] += count;
    calls_ += calls;
  }
  void Lack(std::string what) { lacks_.push_back(std::move(what)); }
  void Fail(Failure failure) { failure_ = std::move(failure); }

 private:
  std::optional<Failure> failure_;
  std::uint64_t seeds_ = 0;
  FaultCounts faults_;
  std::vector<std::string> lacks_;
  std::uint64_t calls_ = 0;
};

}  // namespace kommander::testing
