// What the log is asked to do while its disk is watched: a fixed sequence of calls, drawn from a
// seed, as a node makes them. And what must be read after a restart, given how far it came.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <kommander/wal.hpp>

#include "../conformance/wal_model.hpp"

namespace kommander::crash {

struct Step {
  enum class Kind : std::uint8_t { kCreate, kWrite, kDelete, kMetadata, kReopen };
  Kind kind = Kind::kWrite;
  std::vector<WriteUnit> units;
  PartitionId partition;
  std::string key;
  std::string value;
};

// The contents of a log.
struct Contents {
  std::optional<StoreIdentity> identity;
  conformance::WalModel partitions;
  std::map<std::string, std::string> metadata;

  void Apply(const Step& step);
};

struct ScriptOptions {
  std::uint64_t seed = 1;
  std::size_t steps = 0;
  std::size_t body_bytes_max = 0;
  std::size_t reopen_every = 0;  // 0: never
};

[[nodiscard]] std::vector<Step> MakeScript(const ScriptOptions& options);

// Makes the calls of a step, any but kReopen: more than one if the log has several file sets.
[[nodiscard]] error_code Run(Wal& wal, const Step& step);

// What a log holds, beside what it may hold.
struct Comparison {
  Contents found;
  std::string difference;  // what it returned and should not have, or the other way round
  std::string damage;      // what it said it could not read
  [[nodiscard]] bool is_equal() const noexcept { return difference.empty() && damage.empty(); }
};

// Each partition, name and the identity may be as it was `before` the step that was under way, or
// as it was to be `after` it.
[[nodiscard]] Comparison Compare(Wal& wal, const std::optional<StoreIdentity>& identity,
                                 const Contents& before, const Contents& after);

}  // namespace kommander::crash
