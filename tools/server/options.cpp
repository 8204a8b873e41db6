#include "options.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <map>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/asio/ip/address.hpp>

namespace kommander::server {
namespace {

using Kind = ConfigurationKey::Kind;
constexpr int kUsageError = 2;
constexpr std::uint64_t kMillisecondsMax = 3'600'000;

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// A number of a range that fits into 64 bits; the reader has seen to its being one.
template <class Set>
ApplicationKey NumberKey(ConfigurationKey key, std::uint64_t least, std::uint64_t most, Set set) {
  const std::string range = std::to_string(least) + " to " + std::to_string(most);
  key.Range(std::to_string(least) + ".." + std::to_string(most));
  return {std::move(key), [=](std::string_view text) -> std::string {
            const std::uint64_t number = std::stoull(std::string(text));
            if (number < least || number > most) return range;
            set(number);
            return "";
          }};
}

ApplicationKey TextKey(ConfigurationKey key, std::string& field) {
  key.Default(field);
  return {std::move(key), [&field](std::string_view text) -> std::string {
            field = text;
            return "";
          }};
}

ApplicationKey ChoiceKey(ConfigurationKey key, std::string& field,
                         const std::vector<std::string>& choices) {
  key.Default(field).Range(Joined(choices));
  return {std::move(key), [&field, choices](std::string_view text) -> std::string {
            if (std::ranges::find(choices, text) == choices.end()) return Joined(choices);
            field = text;
            return "";
          }};
}

// Empty text is an endpoint without a host.
ApplicationKey EndpointKey(ConfigurationKey key, Endpoint& field) {
  key.Unit("HOST:PORT");
  return {std::move(key), [&field](std::string_view text) -> std::string {
            const auto endpoint = Endpoint::Parse(text);
            if (!text.empty() && !endpoint) return "HOST:PORT or [IPV6]:PORT";
            field = endpoint.value_or(Endpoint());
            return "";
          }};
}

ConfigurationKey Key(const char* name, Kind kind, const char* what) {
  return ConfigurationKey(name, kind).What(what);
}

void AddDemoKeys(Options& options, std::vector<ApplicationKey>& keys) {
  keys.push_back(NumberKey(
      Key("demo_interval_ms", Kind::kNumber,
          "between two rounds of demonstration writes on the partitions led here; 0: none")
          .Unit("ms")
          .Default(std::to_string(options.demo_interval.count())),
      0, kMillisecondsMax, [&options](std::uint64_t number) {
        options.demo_interval = std::chrono::milliseconds(number);
      }));
  keys.push_back(NumberKey(Key("demo_tasks", Kind::kNumber, "writers at a time, per partition")
                               .Default(std::to_string(options.demo_tasks)),
                           1, 1000,
                           [&options](std::uint64_t number) { options.demo_tasks = number; }));
  keys.push_back(
      NumberKey(Key("demo_rounds", Kind::kNumber, "of each writer: one log, then a batch of eight")
                    .Default(std::to_string(options.demo_rounds)),
                1, 100'000, [&options](std::uint64_t number) { options.demo_rounds = number; }));
}

#ifdef KOMMANDER_SERVER_MULTICAST
void AddMulticastKeys(Options& options, std::vector<ApplicationKey>& keys) {
  keys.push_back(TextKey(Key("multicast_group", Kind::kText,
                             "an address that nodes announce themselves to; empty: 239.192.75.68")
                             .Unit("ADDRESS"),
                         options.multicast_group));
  keys.push_back(NumberKey(Key("multicast_port", Kind::kNumber, "of UDP; 0: 17475").Default("0"), 0,
                           65535,
                           [&options](std::uint64_t number) { options.multicast_port = number; }));
  keys.push_back(
      EndpointKey(Key("announce", Kind::kText, "where others reach this node; empty: `listen`"),
                  options.announce));
  keys.push_back(TextKey(Key("multicast_interface", Kind::kText,
                             "its name or an address of it; empty: the system's choice"),
                         options.multicast_interface));
  keys.push_back(TextKey(Key("multicast_secret_file", Kind::kText,
                             "holds the secret that announcements are signed with"),
                         options.multicast_secret_file));
}
#endif

std::optional<LogLevel> LevelOf(std::string_view text) {
  for (const LogLevel level :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (ToString(level) == text) return level;
  }
  return std::nullopt;
}

// Another's network sees what is said there in the clear, and can say anything itself.
bool IsLoopback(const Endpoint& endpoint) {
  if (endpoint.host == "localhost") return true;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(endpoint.host, error);
  return !error && address.is_loopback();
}

void Judge(const Options& options, std::vector<std::string>& problems) {
  for (std::string& problem : options.raft.Validate()) problems.push_back(std::move(problem));
  const auto judge = [&](const char* key, const Endpoint& endpoint) {
    if (options.allow_unprotected || IsLoopback(endpoint)) return;
    problems.push_back(std::string(key) + ": " + endpoint.ToString() +
                       " can be reached from outside, and nothing is encrypted or authenticated; "
                       "allow_unprotected says that only the cluster's nodes are in that network");
  };
  judge("listen", options.raft.listen());
  if (!options.http_listen.host.empty()) judge("http_listen", options.http_listen);
}

// Where nothing is said of members, this node is all there is.
void Complete(Options& options) {
  if (!options.raft.id()) options.raft.Id(NodeId(1));
  if (!options.raft.initial_members().empty()) return;
  options.raft.InitialMembers({NodeAddress(options.raft.id(), options.raft.listen())});
}

bool ReadFile(const std::string& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  if (!file || std::filesystem::is_directory(path)) return false;
  text.assign(std::istreambuf_iterator<char>(file), {});
  return !file.bad();
}

std::vector<std::string> Lines(const std::string& where,
                               const std::vector<ConfigurationProblem>& problems) {
  std::vector<std::string> lines;
  for (const ConfigurationProblem& problem : problems) lines.push_back(where + problem.ToString());
  return lines;
}

}  // namespace

Options::Options() : wal(BuiltLogs().front()) {
  raft.Listen(Endpoint("127.0.0.1", 2070)).InitialPartitions(16);
}

std::vector<std::string> BuiltLogs() {
  std::vector<std::string> names;
#ifdef KOMMANDER_SERVER_ROCKSDB
  names.emplace_back("rocksdb");
#endif
#ifdef KOMMANDER_SERVER_SQLITE
  names.emplace_back("sqlite");
#endif
  names.emplace_back("memory");
  return names;
}

std::vector<std::string> BuiltTransports() {
  std::vector<std::string> names{"tcp"};
#ifdef KOMMANDER_SERVER_REST
  names.emplace_back("rest");
#endif
  return names;
}

std::vector<std::string> BuiltDiscoveries() {
  std::vector<std::string> names{"static"};
#ifdef KOMMANDER_SERVER_MULTICAST
  names.emplace_back("multicast");
#endif
  return names;
}

std::vector<ApplicationKey> OwnKeys(Options& options) {
  std::vector<ApplicationKey> keys;
  keys.push_back(
      ChoiceKey(Key("wal", Kind::kText, "where entries are kept"), options.wal, BuiltLogs()));
  keys.push_back(TextKey(Key("data_directory", Kind::kText, "the log's; made when missing"),
                         options.data_directory));
#ifdef KOMMANDER_SERVER_SQLITE
  keys.push_back(
      NumberKey(Key("sqlite_shards", Kind::kNumber, "files of a new SQLite log; for ever")
                    .Default(std::to_string(options.sqlite_shards)),
                1, 64, [&options](std::uint64_t number) { options.sqlite_shards = number; }));
#endif
  keys.push_back(ChoiceKey(Key("transport", Kind::kText,
                               "what nodes speak at `listen`; the same on every node of a cluster"),
                           options.transport, BuiltTransports()));
  keys.push_back(ChoiceKey(Key("discovery", Kind::kText, "how nodes find each other's addresses"),
                           options.discovery, BuiltDiscoveries()));
#ifdef KOMMANDER_SERVER_MULTICAST
  AddMulticastKeys(options, keys);
#endif
#ifdef KOMMANDER_SERVER_REST
  keys.push_back(EndpointKey(
      Key("http_listen", Kind::kText, "where the node tells of itself over HTTP; empty: nowhere"),
      options.http_listen));
#endif
  keys.emplace_back(Key("allow_unprotected", Kind::kBoolean,
                        "listen beyond this machine, although nothing is encrypted")
                        .Default("false"),
                    [&options](std::string_view text) -> std::string {
                      options.allow_unprotected = text == "true";
                      return "";
                    });
  AddDemoKeys(options, keys);
  keys.push_back(
      NumberKey(Key("stop_timeout_ms", Kind::kNumber,
                    "how long a stop waits for running writes and for leadership to be handed over")
                    .Unit("ms")
                    .Default(std::to_string(options.stop_timeout.count())),
                0, kMillisecondsMax, [&options](std::uint64_t number) {
                  options.stop_timeout = std::chrono::milliseconds(number);
                }));
  keys.emplace_back(Key("log_level", Kind::kText, "the least that is told on standard error")
                        .Default(std::string(ToString(options.log_level)))
                        .Range("debug, info, warning, error"),
                    [&options](std::string_view text) -> std::string {
                      const auto level = LevelOf(text);
                      if (!level) return "debug, info, warning or error";
                      options.log_level = *level;
                      return "";
                    });
  return keys;
}

Parsed ParseOptions(int argc, char** argv, Options& options, int& exit_code) {
  CLI::App app(
      "A node of a Kommander cluster without an application: it replicates, and shows that it "
      "does by writing entries of its own.");
  std::string config;
  app.add_option("--config", config, "A JSON file with the same names, '_' for '-'");
  app.add_flag("--check-config", options.check_only,
               "Tell every problem of file and command line, and end");
  const std::vector<ApplicationKey> own = OwnKeys(options);
  std::map<std::string, std::string> given;
  const auto add = [&](const ConfigurationKey& key) {
    if (key.option().empty()) return;
    std::string help = key.what();
    if (!key.range().empty()) help += " (" + key.range() + ")";
    app.add_option(key.option(), given[key.option()], help)
        ->type_name(key.unit())
        ->default_str(key.default_text());
  };
  for (const ApplicationKey& key : own) add(key.key());
  for (const ConfigurationKey& key : ConfigurationKeys()) add(key);
  app.get_option("--id")->default_str("1");
  app.get_option("--listen")->default_str(options.raft.listen().ToString());
  app.get_option("--initial-partitions")
      ->default_str(std::to_string(options.raft.initial_partitions()));
  app.get_option("--initial-members")->default_str("this node alone");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    exit_code = app.exit(problem) == 0 ? 0 : kUsageError;
    return Parsed::kEnd;
  }

  std::vector<std::string> problems;
  std::string text;
  if (!config.empty() && !ReadFile(config, text)) {
    problems.push_back("--config: " + config + " cannot be read");
  } else if (!config.empty()) {
    problems = Lines(config + ": ", ReadConfiguration(text, options.raft, own));
  }
  std::erase_if(given, [&](const auto& option) { return app.count(option.first) == 0; });
  const std::vector<ConfigurationArgument> arguments(given.begin(), given.end());
  for (std::string& line : Lines("", ReadArguments(arguments, options.raft, own))) {
    problems.push_back(std::move(line));
  }
  Complete(options);
  if (problems.empty()) Judge(options, problems);
  for (const std::string& problem : problems) std::cerr << "kommander-server: " << problem << "\n";
  exit_code = problems.empty() ? 0 : kUsageError;
  if (problems.empty() && options.check_only) std::cout << "kommander-server: nothing is wrong\n";
  return problems.empty() && !options.check_only ? Parsed::kServe : Parsed::kEnd;
}

}  // namespace kommander::server
