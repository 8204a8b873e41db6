// What became of the seeds: all good, or the first one that was not, with what repeats it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace kommander::testing {

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
  // Arguments for Options::Parse, or a program of testing::Main, that repeat the seed.
  [[nodiscard]] const std::string& replay() const noexcept { return replay_; }

 private:
  std::uint64_t seed_;
  std::string invariant_;
  std::string what_;
  std::string plan_;
  std::string replay_;
};

class Result {
 public:
  Result() = default;

  [[nodiscard]] bool IsGood() const noexcept { return !failure_; }
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }
  // Seeds that were run, the failing one included.
  [[nodiscard]] std::uint64_t seeds() const noexcept { return seeds_; }
  // Faults that took effect, and calls of clients: few of either prove little.
  [[nodiscard]] std::uint64_t faults() const noexcept { return faults_; }
  [[nodiscard]] std::uint64_t calls() const noexcept { return calls_; }
  // All of it for a person.
  [[nodiscard]] std::string Text() const;

  void AddSeed(std::uint64_t faults, std::uint64_t calls) noexcept {
    ++seeds_;
    faults_ += faults;
    calls_ += calls;
  }
  void Fail(Failure failure) { failure_ = std::move(failure); }

 private:
  std::optional<Failure> failure_;
  std::uint64_t seeds_ = 0;
  std::uint64_t faults_ = 0;
  std::uint64_t calls_ = 0;
};

}  // namespace kommander::testing
