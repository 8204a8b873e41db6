// Golden scripts: scenarios of a cluster as prose, commands and what the commands did.
//
//   == A title
//   Prose, as much as it takes.
//   > command
//     a line of what happened
//     another
//
// Every title starts a new cluster. The output of a command is the indented lines below it; the
// runner compares, or with --rewrite replaces them. Commands are listed in README.md beside the
// scripts.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "unit/raft/test_cluster.hpp"

namespace kommander::raft::test {

// One scenario's cluster and the commands that move it.
class Script {
 public:
  // Executes one command line and answers what happened. Throws std::runtime_error when the line
  // makes no sense or a rule is broken.
  [[nodiscard]] std::vector<std::string> Execute(const std::string& line);

 private:
  using Words = std::vector<std::string>;
  using Command = void (Script::*)(const Words&);
  static const std::map<std::string, Command, std::less<>>& Commands();

  void Option(const Words& words);
  void Nodes(const Words& words);
  void Spare(const Words& words);
  void History(const Words& words);
  void Campaign(const Words& words);
  void Silence(const Words& words);
  void Heartbeat(const Words& words);
  void Beats(const Words& words);
  void Advance(const Words& words);
  void Settle(const Words& words);
  void Deliver(const Words& words);
  void Drop(const Words& words);
  void Duplicate(const Words& words);
  void Wire(const Words& words);
  void Sync(const Words& words);
  void Apply(const Words& words);
  void Fetch(const Words& words);
  void Snapshot(const Words& words);
  void Compact(const Words& words);
  void Propose(const Words& words);
  void ProposeMany(const Words& words);
  void Read(const Words& words);
  void Withdraw(const Words& words);
  void Transfer(const Words& words);
  void StepDown(const Words& words);
  void Reconfigure(const Words& words);
  void Crash(const Words& words);
  void Start(const Words& words);
  void Cut(const Words& words);
  void Isolate(const Words& words);
  void Heal(const Words& words);
  void FailStorage(const Words& words);
  void Enable(const Words& words);
  void Disable(const Words& words);
  void Stop(const Words& words);
  void Status(const Words& words);
  void Log(const Words& words);
  void Peers(const Words& words);
  void Members(const Words& words);
  void Delivered(const Words& words);

  [[nodiscard]] std::vector<NodeId> AllOr(const Words& words) const;
  // The positions on the wire of messages that a filter like "1->2" or "2" means.
  [[nodiscard]] std::vector<std::size_t> Select(const Words& words) const;
  [[nodiscard]] TestNode& NodeOf(const std::string& word);

  CoreOptions options_;
  std::unique_ptr<TestCluster> cluster_;
  std::vector<std::string> output_;
};

// A script file, run or rewritten. Answers the number of commands whose output differs and prints
// each to std::cerr; `scenarios` grows by the number of titles.
int RunScriptFile(const std::string& path, bool rewrite, int& scenarios);

}  // namespace kommander::raft::test
