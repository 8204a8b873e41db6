// What is run, and for how long. Everything that is not said here is drawn from the seed: delays,
// limits, orders, and which faults befall whom.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kommander::testing {

// Names of the faults, as a plan has them: "power-loss", "pause", "isolate", ...
[[nodiscard]] std::vector<std::string_view> FaultNames();

class Options {
 public:
  Options() = default;

  // All of [first, last], until one fails. Default: 1..20.
  Options& Seeds(std::uint64_t first, std::uint64_t last);
  // Of load and faults, per seed; recovery comes after it. Default: 30.
  Options& VirtualSeconds(std::uint64_t seconds);
  // 1..7, those that the cluster begins with; 0, the default: by the seed.
  Options& Nodes(std::uint32_t count);
  // 1..64, beside the system's own; default: 1; 0: by the seed, 1 to 4.
  Options& Partitions(std::uint32_t count);
  // Coroutines of Scenario::RunClient at once. Default: 4.
  Options& Clients(std::uint32_t count);
  Options& NoFaults();
  // These kinds only; throws std::invalid_argument for a name that is not one of FaultNames().
  Options& OnlyFaults(const std::vector<std::string>& names);
  // A third of the seeds has small limits: entries to 2 KiB, queues of 16 proposals. Default: none.
  Options& TightLimits(bool allowed = true);
  // A plan of faults as a failure prints it, instead of the seeds' own; one without any is
  // NoFaults. Throws std::invalid_argument when it is none.
  Options& Plan(std::string_view text);
  // Seeds in which nothing failed are not good unless every kind of fault took effect this often,
  // in all of them together: of the kinds that may happen (OnlyFaults, or those of the plan), each
  // that is possible in a cluster of Nodes. Default: 0.
  Options& RequireFaults(std::uint64_t count);
  // Whether the plan of a failing seed is cut down to what the failure needs. Default: yes.
  Options& Shrink(bool wanted);
  // The same from a command line, without the program's name; Usage() says what it may hold. Throws
  // std::invalid_argument with a line for a person.
  Options& Parse(const std::vector<std::string>& arguments);
  [[nodiscard]] static std::string Usage();
  // A command line that makes equal options, of the default ones and of those that these began as.
  [[nodiscard]] std::vector<std::string> Arguments() const;
  friend bool operator==(const Options&, const Options&) = default;

  [[nodiscard]] std::uint64_t first_seed() const noexcept { return first_seed_; }
  [[nodiscard]] std::uint64_t last_seed() const noexcept { return last_seed_; }
  [[nodiscard]] std::uint64_t virtual_seconds() const noexcept { return virtual_seconds_; }
  [[nodiscard]] std::uint32_t nodes() const noexcept { return nodes_; }
  [[nodiscard]] std::uint32_t partitions() const noexcept { return partitions_; }
  [[nodiscard]] std::uint32_t clients() const noexcept { return clients_; }
  [[nodiscard]] bool has_faults() const noexcept { return has_faults_; }
  [[nodiscard]] const std::vector<std::string>& only_faults() const noexcept { return only_; }
  [[nodiscard]] bool has_tight_limits() const noexcept { return has_tight_limits_; }
  [[nodiscard]] const std::optional<std::string>& plan() const noexcept { return plan_; }
  [[nodiscard]] std::uint64_t faults_required() const noexcept { return faults_required_; }
  [[nodiscard]] bool shrinks() const noexcept { return shrinks_; }

 private:
  std::uint64_t first_seed_ = 1;
  std::uint64_t last_seed_ = 20;
  std::uint64_t virtual_seconds_ = 30;
  std::uint32_t nodes_ = 0;
  std::uint32_t partitions_ = 1;
  std::uint32_t clients_ = 4;
  bool has_faults_ = true;
  std::vector<std::string> only_;
  bool has_tight_limits_ = false;
  std::optional<std::string> plan_;
  std::uint64_t faults_required_ = 0;
  bool shrinks_ = true;
};

}  // namespace kommander::testing
