// What kommander-server is told: by a file, by its command line, or by nobody, which makes it one
// node that is a cluster by itself.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <kommander/configuration_file.hpp>
#include <kommander/logging.hpp>
#include <kommander/raft_configuration.hpp>

namespace kommander::server {

struct Options {
  Options();

  RaftConfiguration raft;
  std::string wal;
  std::string data_directory = "kommander-data";
  std::uint64_t sqlite_shards = 4;
  std::string transport = "tcp";
  std::string discovery = "static";
  std::string multicast_group;
  std::uint64_t multicast_port = 0;
  std::string multicast_interface;
  Endpoint announce;
  Endpoint http_listen;  // without a host: no HTTP
  std::string multicast_secret_file;
  bool allow_unprotected = false;
  std::uint64_t demo_tasks = 2;
  std::uint64_t demo_rounds = 20;
  std::chrono::milliseconds demo_interval{20'000};
  std::chrono::milliseconds stop_timeout{10'000};
  LogLevel log_level = LogLevel::kInfo;

  // What the command line asks for instead of serving.
  bool check_only = false;
};

// The keys that are this program's own, bound to the fields of `options`, which must outlive them.
[[nodiscard]] std::vector<ApplicationKey> OwnKeys(Options& options);

// What this build can be told to use.
[[nodiscard]] std::vector<std::string> BuiltLogs();
[[nodiscard]] std::vector<std::string> BuiltTransports();
[[nodiscard]] std::vector<std::string> BuiltDiscoveries();

// File first, then the command line, which prevails. Prints help or problems itself: 0, the options
// are there; otherwise the program ends with `exit_code`.
enum class Parsed { kServe, kEnd };
[[nodiscard]] Parsed ParseOptions(int argc, char** argv, Options& options, int& exit_code);

}  // namespace kommander::server
