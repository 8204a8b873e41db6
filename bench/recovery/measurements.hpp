// The measurements of bench_recovery, one file each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "../replicate/options.hpp"
#include "../table.hpp"

namespace kommander::bench {

struct RecoveryOptions {
  std::uint64_t entries = 1'000'000;
  std::uint32_t rounds = 3;
  std::uint32_t state_mib = 512;
  std::size_t payload_bytes = 128;
  std::uint32_t outstanding = 256;
  double seconds = 5;
  std::string data_directory = ".";
  std::string json_file;
};

// `directory` is empty and removed afterwards.
[[nodiscard]] Table MeasureRestart(const RecoveryOptions& options, const std::string& directory);
[[nodiscard]] Table MeasureSnapshot(const RecoveryOptions& options, const std::string& directory);
[[nodiscard]] Table MeasureCatchUp(const RecoveryOptions& options, const std::string& directory);
[[nodiscard]] Table MeasureCheckpoint(const RecoveryOptions& options, const std::string& directory);

// Of a cluster with the load of these options.
[[nodiscard]] inline Options LoadOf(const RecoveryOptions& options, std::uint32_t nodes,
                                    std::uint32_t partitions) {
  Options load;
  load.nodes = nodes;
  load.partitions = partitions;
  load.payload_bytes = options.payload_bytes;
  load.outstanding = options.outstanding;
  return load;
}

}  // namespace kommander::bench
