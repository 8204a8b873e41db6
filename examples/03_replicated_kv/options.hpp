// The command line of kommander-kv.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include <kommander/discovery.hpp>
#include <kommander/ids.hpp>
#include <kommander/raft_configuration.hpp>

namespace kv {

struct Options {
  kommander::RaftConfiguration raft;
  std::map<kommander::NodeId, kommander::Endpoint> http_endpoints;  // of every node
  std::string data_directory;
  bool in_memory = false;
  std::chrono::milliseconds request_timeout{2000};
};

// None: `exit_code` says how the program ends; what is wrong, all of it, has been printed.
[[nodiscard]] std::optional<Options> ParseOptions(int argc, const char* const* argv,
                                                  int& exit_code);

}  // namespace kv
