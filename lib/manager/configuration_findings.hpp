// What is wrong with a configuration, by field: RaftConfiguration::Validate() makes lines of it, a
// configuration file pointers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <kommander/raft_configuration.hpp>

namespace kommander {

struct ConfigurationFinding {
  std::string field;          // "election_timeout", "initial_members[0].id"
  std::string what;           // "is 5 ms, must be 10 ms to 300000 ms"
  std::string_view bound_by;  // the other field that sets the bound; empty: none
};

// Every problem, in one go.
[[nodiscard]] std::vector<ConfigurationFinding> FindProblems(
    const RaftConfiguration& configuration);

}  // namespace kommander
