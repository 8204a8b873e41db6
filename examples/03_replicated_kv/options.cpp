#include "options.hpp"

#include <iostream>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "text.hpp"

namespace kv {
namespace {

// Everything as text: a library that stops at the first bad number could not list the others.
struct Words {
  std::string id;
  std::string cluster;
  std::string data_directory;
  std::string cluster_id = "kv";
  std::string partitions = "4";
  std::string wal = "rocksdb";
  std::string election_timeout_ms = "300";
  std::string request_timeout_ms = "2000";
};

using Problems = std::vector<std::string>;

std::uint32_t Number(const char* name, const std::string& word, std::uint32_t min,
                     std::uint32_t max, Problems& problems) {
  const auto number = ParseNumber<std::uint32_t>(word);
  if (number && *number >= min && *number <= max) return *number;
  problems.push_back(std::string(name) + " is '" + word + "': must be a number from " +
                     std::to_string(min) + " to " + std::to_string(max));
  return min;
}

// "127.0.0.1:7001", "node-1:7001" or "[::1]:7001".
std::optional<kommander::Endpoint> ParseEndpoint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const auto port = ParseNumber<std::uint16_t>(text.substr(colon + 1));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != host.npos) {
    return std::nullopt;
  }
  if (host.empty() || !port || *port == 0) return std::nullopt;
  return kommander::Endpoint(std::string(host), *port);
}

// "1=127.0.0.1:7001/127.0.0.1:8001,2=...".
void ParseCluster(std::string_view text, std::vector<kommander::NodeAddress>& members,
                  Options& options, Problems& problems) {
  if (text.empty()) problems.push_back("--cluster is missing");
  while (!text.empty()) {
    const std::string_view member = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), member.size() + 1));
    const std::size_t equals = member.find('=');
    const std::size_t slash = member.find('/');
    if (equals == member.npos || slash == member.npos || slash < equals) {
      problems.push_back("--cluster has '" + std::string(member) +
                         "': must be ID=RAFT_HOST:PORT/HTTP_HOST:PORT");
      continue;
    }
    const auto id = ParseNumber<std::uint32_t>(member.substr(0, equals));
    const auto raft = ParseEndpoint(member.substr(equals + 1, slash - equals - 1));
    const auto http = ParseEndpoint(member.substr(slash + 1));
    if (!id || *id == 0)
      problems.push_back("--cluster has a bad id in '" + std::string(member) + "'");
    if (!raft)
      problems.push_back("--cluster has a bad Raft endpoint in '" + std::string(member) + "'");
    if (!http)
      problems.push_back("--cluster has a bad HTTP endpoint in '" + std::string(member) + "'");
    if (!id || *id == 0 || !raft || !http) continue;
    const kommander::NodeId node(*id);
    if (!options.http_endpoints.emplace(node, *http).second) {
      problems.push_back("--cluster names node " + std::to_string(*id) + " twice");
      continue;
    }
    members.emplace_back(node, *raft);
  }
}

Options Judge(const Words& words, Problems& problems) {
  Options options;
  std::vector<kommander::NodeAddress> members;
  ParseCluster(words.cluster, members, options, problems);
  const std::size_t cluster_problems = problems.size();
  const kommander::NodeId id(Number("--id", words.id, 1, UINT32_MAX, problems));
  if (words.data_directory.empty()) problems.push_back("--data-dir is missing");
  if (words.wal != "rocksdb" && words.wal != "memory") {
    problems.push_back("--wal is '" + words.wal + "': must be rocksdb or memory");
  }
  options.data_directory = words.data_directory;
  options.in_memory = words.wal == "memory";
  options.request_timeout = std::chrono::milliseconds(
      Number("--request-timeout-ms", words.request_timeout_ms, 1, 3'600'000, problems));
  options.raft.Id(id)
      .ClusterId(words.cluster_id)
      .InitialPartitions(Number("--partitions", words.partitions, 1, 65'535, problems))
      .ElectionTimeout(std::chrono::milliseconds(
          Number("--election-timeout-ms", words.election_timeout_ms, 10, 300'000, problems)))
      .LeaderTimeout(options.request_timeout)
      .JoinTimeout(kommander::Duration::zero());
  const auto self = options.http_endpoints.find(id);
  if (self == options.http_endpoints.end()) {
    if (cluster_problems == 0) {
      problems.push_back("--cluster does not name this node, " + std::to_string(id.value()));
    }
    return options;
  }
  for (const kommander::NodeAddress& member : members) {
    if (member.id == id) options.raft.Listen(member.endpoint);
  }
  options.raft.InitialMembers(std::move(members));
  // What is left to be wrong is the library's to say, once the words themselves are right.
  if (problems.empty()) problems = options.raft.Validate();
  return options;
}

}  // namespace

std::optional<Options> ParseOptions(int argc, const char* const* argv, int& exit_code) {
  Words words;
  CLI::App app("A linearizable key/value service on Kommander, spoken to over HTTP.",
               "kommander-kv");
  app.add_option("--id", words.id,
                 "This node, one of --cluster; for ever the same for a data directory");
  app.add_option("--cluster", words.cluster, "Every node: ID=RAFT_HOST:PORT/HTTP_HOST:PORT,...");
  app.add_option("--data-dir", words.data_directory, "Where the log lives; created");
  app.add_option("--cluster-id", words.cluster_id, "Nodes of another cluster are refused")
      ->capture_default_str();
  app.add_option("--partitions", words.partitions, "Raft groups that the keys are spread over")
      ->capture_default_str();
  app.add_option("--wal", words.wal, "rocksdb, or memory: forgets everything when it ends")
      ->capture_default_str();
  app.add_option("--election-timeout-ms", words.election_timeout_ms)->capture_default_str();
  app.add_option("--request-timeout-ms", words.request_timeout_ms)->capture_default_str();
  app.allow_extras();
  Problems problems;
  std::optional<Options> options;
  try {
    app.parse(argc, argv);
    options = Judge(words, problems);
    for (const std::string& extra : app.remaining()) problems.push_back("unknown option " + extra);
  } catch (const CLI::CallForHelp& help) {
    exit_code = app.exit(help);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    problems.push_back(error.what());
  }
  if (problems.empty()) return options;
  for (const std::string& problem : problems) std::cerr << "kommander-kv: " << problem << '\n';
  exit_code = 1;
  return std::nullopt;
}

}  // namespace kv
