#include "options.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace kommander::bench {
namespace {

constexpr const char* kHelp =
    R"(bench_replicate: commits per second, latency and cost of a Raft cluster.

  --nodes N             nodes of the cluster (3)
  --partitions P        Raft groups (1)
  --payload BYTES       of one payload (128)
  --outstanding N       proposals in flight, over all partitions (256). 0: none, the cluster idles;
                        with --partitions 1000 --processes that measures what idle partitions cost:
                        rss_mib_per_node and idle cpu
  --batch B             payloads of one proposal; a proposal counts as one commit (1)
  --calls LIST          what proposers do, of write, session, manual and read, by commas (write).
                        Several take turns in one cluster, and the result is their rates and
                        their ratios to the first one
  --rounds N            turns of each (1)
  --wal LIST            of rocksdb, sqlite and memory, by commas (rocksdb)
  --transport LIST      of tcp, rest and memory, by commas (tcp). Of several logs or transports each
                        pair takes its turn in a cluster of its own, in every round, and the result
                        is their rates and their ratios to the first one
  --processes           each node is a process of its own; not with --transport memory
  --seconds S           measured, after the warm-up, in each turn (10)
  --warmup-seconds S    (2)
  --probe-seconds S     of each raw probe of the disk; 0: none (3)
  --election-timeout-ms T  (1000)
  --data-dir DIR        where the logs live and the disk is probed; a directory of its own is made
                        in it and removed (.)
  --json FILE           the result as one flat JSON object

session: a write in a session, each proposer having one of its own. manual: a proposal that waits
for its decision, and its CommitLogs, counted as one. read: a ReadBarrier on the leader.

A commit is counted when the proposer's own co_await returns. Proposers are coroutines in the
process that leads the partition. What is counted per commit is that of all nodes, divided by nodes
and commits; cpu_seconds are those of every process together, this one too.
)";

[[noreturn]] void Usage(const std::string& problem) {
  std::cerr << "bench_replicate: " << problem << " (see --help)\n";
  std::exit(2);
}

template <class Number>
Number Parse(std::string_view name, std::string_view word, Number min, Number max) {
  Number number{};
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc() || end != word.data() + word.size() || number < min || number > max) {
    std::ostringstream problem;
    problem << name << " must be a number from " << min << " to " << max;
    Usage(problem.str());
  }
  return number;
}

// By commas, each at most once.
std::vector<std::string> SomeOf(std::string_view name, std::string_view text,
                                const std::vector<std::string_view>& words) {
  std::vector<std::string> some;
  for (bool is_more = true; is_more;) {
    const std::string_view word = text.substr(0, text.find(','));
    is_more = word.size() < text.size();
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (std::find(words.begin(), words.end(), word) == words.end()) {
      std::string problem = std::string(name) + " must be of";
      for (const std::string_view one : words) problem += " " + std::string(one);
      Usage(problem);
    }
    if (std::find(some.begin(), some.end(), word) != some.end()) {
      Usage(std::string(word) + " comes twice");
    }
    some.emplace_back(word);
  }
  return some;
}

std::vector<std::uint16_t> ParsePorts(std::string_view text) {
  std::vector<std::uint16_t> ports;
  while (!text.empty()) {
    const std::string_view port = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), port.size() + 1));
    ports.push_back(Parse<std::uint16_t>("a port", port, 1, 65535));
  }
  return ports;
}

std::vector<Call> ParseCalls(std::string_view text) {
  std::vector<Call> calls;
  while (!text.empty()) {
    const std::string_view name = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), name.size() + 1));
    try {
      calls.push_back(CallOf(name));
    } catch (const std::invalid_argument& problem) {
      Usage(problem.what());
    }
    if (std::count(calls.begin(), calls.end(), calls.back()) != 1) {
      Usage(std::string(name) + " comes twice");
    }
  }
  if (calls.empty()) Usage("--calls must name one");
  return calls;
}

void ParseOption(Options& options, std::string_view name, std::string_view word) {
  if (name == "--nodes") {
    options.nodes = Parse<std::uint32_t>(name, word, 1, 9);
  } else if (name == "--partitions") {
    options.partitions = Parse<std::uint32_t>(name, word, 1, 65'535);
  } else if (name == "--payload") {
    options.payload_bytes = Parse<std::size_t>(name, word, 0, 4u << 20);
  } else if (name == "--outstanding") {
    options.outstanding = Parse<std::uint32_t>(name, word, 0, 1'000'000);
  } else if (name == "--batch") {
    options.batch = Parse<std::uint32_t>(name, word, 1, 65'536);
  } else if (name == "--calls") {
    options.calls = ParseCalls(word);
  } else if (name == "--rounds") {
    options.rounds = Parse<std::uint32_t>(name, word, 1, 1000);
  } else if (name == "--wal") {
    options.wals = SomeOf(name, word, {"rocksdb", "sqlite", "memory"});
  } else if (name == "--transport") {
    options.transports = SomeOf(name, word, {"tcp", "rest", "memory"});
  } else if (name == "--seconds") {
    options.seconds = Parse<double>(name, word, 0.1, 86'400);
  } else if (name == "--warmup-seconds") {
    options.warmup_seconds = Parse<double>(name, word, 0, 3600);
  } else if (name == "--probe-seconds") {
    options.probe_seconds = Parse<double>(name, word, 0, 600);
  } else if (name == "--election-timeout-ms") {
    options.election_timeout_ms = Parse<std::uint32_t>(name, word, 10, 300'000);
  } else if (name == "--json") {
    options.json_file = word;
  } else if (name == "--data-dir") {
    options.data_directory = word;
  } else if (name == "--child-node") {
    options.child_node = Parse<std::uint32_t>(name, word, 1, 9);
  } else if (name == "--child-ports") {
    options.child_ports = ParsePorts(word);
  } else {
    Usage("unknown option " + std::string(name));
  }
}

constexpr std::string_view kCallNames[] = {"write", "session", "manual", "read"};

}  // namespace

std::string_view ToString(Call call) noexcept { return kCallNames[static_cast<std::size_t>(call)]; }

Call CallOf(std::string_view name) {
  const auto found = std::find(std::begin(kCallNames), std::end(kCallNames), name);
  if (found == std::end(kCallNames)) {
    throw std::invalid_argument("there is no call " + std::string(name));
  }
  return static_cast<Call>(found - std::begin(kCallNames));
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    std::string_view name = argv[i];
    if (name == "--help" || name == "-h") {
      std::cout << kHelp;
      std::exit(0);
    }
    if (name == "--processes") {
      options.processes = true;
      continue;
    }
    const std::size_t equals = name.find('=');
    if (equals != name.npos) {
      ParseOption(options, name.substr(0, equals), name.substr(equals + 1));
    } else if (i + 1 < argc) {
      ParseOption(options, name, argv[++i]);
    } else {
      Usage(std::string(name) + " is unknown or lacks a value");
    }
  }
  const auto& transports = options.transports;
  if (options.processes &&
      std::find(transports.begin(), transports.end(), "memory") != transports.end()) {
    Usage("--processes needs --transport tcp or rest");
  }
  if (options.calls.size() > 1 && (options.wals.size() > 1 || transports.size() > 1)) {
    Usage("--calls names one where there are several logs or transports");
  }
  return options;
}

std::vector<std::string> ChildArguments(const Options& options, std::uint32_t node,
                                        const std::vector<std::uint16_t>& ports,
                                        const std::string& directory) {
  std::string list;
  for (const std::uint16_t port : ports) {
    if (!list.empty()) list += ',';
    list += std::to_string(port);
  }
  return {"bench_replicate",
          "--nodes=" + std::to_string(options.nodes),
          "--partitions=" + std::to_string(options.partitions),
          "--payload=" + std::to_string(options.payload_bytes),
          "--outstanding=" + std::to_string(options.outstanding),
          "--batch=" + std::to_string(options.batch),
          "--wal=" + options.wal(),
          "--transport=" + options.transport(),
          "--election-timeout-ms=" + std::to_string(options.election_timeout_ms),
          "--data-dir=" + directory,
          "--child-node=" + std::to_string(node),
          "--child-ports=" + list};
}

}  // namespace kommander::bench
