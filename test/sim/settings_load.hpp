// Clients that change the cluster's settings, on any node, and what they and the nodes may then see
// of them: each change has its effect once, at the place that its answer names; a refused one has
// none; of those who expect the same version one succeeds; in the end all nodes show the same.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <kommander/cluster_settings.hpp>
#include <kommander/replicate_options.hpp>

#include "chance.hpp"
#include "checker.hpp"
#include "sim_node.hpp"
#include "world.hpp"

namespace kommander::sim {

class SettingsLoad {
 public:
  SettingsLoad(World& world, Checker& checker, std::vector<std::unique_ptr<SimNode>>& nodes);

  // Changes some now and then until `end`.
  void Begin(Instant end);
  // Whether all nodes show the same.
  [[nodiscard]] bool AreEqual() const;
  // Nothing more comes, and they do: what was acknowledged must be in it.
  void Conclude();

 private:
  struct Change {
    Change() {}  // clang 16: a map needs one that is written out, inside a class
    std::string name;
    bool removes = false;
    std::optional<LogIndex> expected;
    std::optional<error_code> answer;
    LogIndex version;  // where it took effect, as far as anybody has said
  };

  void Call();
  void Finish(std::uint64_t id, error_code error, const ReplicateResult& result);
  void Look(const SimNode& node);
  void NotePlace(std::uint64_t id, Change& change, LogIndex version);
  void Violate(std::uint64_t id, const std::string& what);

  World& world_;
  Checker& checker_;
  std::vector<std::unique_ptr<SimNode>>& nodes_;
  Chance chance_;
  Process process_;
  std::map<std::uint64_t, Change> changes_;
  std::map<LogIndex, std::uint64_t> places_;
  std::set<std::pair<std::string, LogIndex>> succeeded_;  // the versions that they had expected
};

}  // namespace kommander::sim
