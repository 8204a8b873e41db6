// What bench_replicate is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/discovery.hpp>

namespace kommander::bench {

// What proposers do, over and over.
enum class Call : std::uint8_t {
  kWrite,    // ReplicateLogs
  kSession,  // the same with a session, one of each proposer
  kManual,   // ReplicateLogs with manual commit, and CommitLogs: both count as one
  kRead,     // ReadBarrier
};
[[nodiscard]] std::string_view ToString(Call call) noexcept;
// The other way; throws std::invalid_argument.
[[nodiscard]] Call CallOf(std::string_view name);

struct Options {
  std::uint32_t nodes = 3;
  std::uint32_t partitions = 1;
  std::size_t payload_bytes = 128;
  std::uint32_t outstanding = 256;  // over all partitions
  std::uint32_t batch = 1;
  std::vector<std::string> wals{"rocksdb"};    // or sqlite, memory
  std::vector<std::string> transports{"tcp"};  // or rest, memory
  bool processes = false;
  std::vector<Call> calls{Call::kWrite};
  std::uint32_t rounds = 1;
  std::uint32_t first_measured = 1;  // of earlier partitions no call is counted
  double seconds = 10;
  double warmup_seconds = 2;
  double probe_seconds = 3;  // 0: no raw probe
  std::uint32_t election_timeout_ms = 1000;
  std::string json_file;
  std::string data_directory = ".";  // a directory of our own is made in it, and removed

  // For a child process.
  std::uint32_t child_node = 0;            // 0: the parent
  std::vector<std::uint16_t> child_ports;  // Raft ports of all nodes, node 1 first

  // Of a cluster, which has one of each.
  [[nodiscard]] const std::string& wal() const { return wals.front(); }
  [[nodiscard]] const std::string& transport() const { return transports.front(); }
};

// Prints what is wrong and exits with 2, or the help and exits with 0.
[[nodiscard]] Options ParseOptions(int argc, char** argv);
// The command line that makes a child of this program run `node`.
[[nodiscard]] std::vector<std::string> ChildArguments(const Options& options, std::uint32_t node,
                                                      const std::vector<std::uint16_t>& ports,
                                                      const std::string& directory);

}  // namespace kommander::bench
