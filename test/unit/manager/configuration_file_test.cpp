// Configurations as text: what is read, every kind of mistake with its exact words, all of them at
// once, nothing changed by a text that has one; and the page that lists the keys.
#include <fstream>
#include <regex>
#include <span>
#include <sstream>
#include <string>

#include <kommander/configuration_file.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

std::string Lines(const std::vector<ConfigurationProblem>& problems) {
  std::string text;
  for (const auto& problem : problems) text += problem.ToString() + "\n";
  return text;
}

// Everything that can be read off a configuration.
std::string Describe(const RaftConfiguration& configuration) {
  std::ostringstream text;
  text << configuration.id().value() << ' ' << configuration.cluster_id() << ' '
       << configuration.listen().ToString() << " [";
  for (const NodeAddress& member : configuration.initial_members()) {
    text << member.id.value() << '=' << member.endpoint.ToString() << ' ';
  }
  text << "] " << configuration.initial_partitions();
  for (const Duration duration :
       {configuration.election_timeout(), configuration.heartbeat_interval(),
        configuration.stall_max(), configuration.proposal_timeout(), configuration.read_timeout(),
        configuration.leader_timeout(), configuration.join_timeout(),
        configuration.ticket_timeout(), configuration.session_timeout(),
        configuration.clock_ahead_max(), configuration.snapshot_step_timeout(),
        configuration.slow_handler(), configuration.slow_write(), configuration.log_interval()}) {
    text << ' ' << std::chrono::duration<double, std::milli>(duration).count() << "ms";
  }
  for (const std::size_t size :
       {configuration.queued_proposals_max(),
        configuration.queued_proposal_bytes_max(),
        configuration.queued_messages_max(),
        configuration.queued_message_bytes_max(),
        configuration.entry_bytes_max(),
        configuration.inflight_bytes_max(),
        configuration.uncommitted_bytes_max(),
        configuration.apply_bytes_max(),
        configuration.cache_bytes_max(),
        configuration.retained_entries(),
        configuration.compaction_step(),
        configuration.compaction_entries_max(),
        configuration.snapshot_entries(),
        configuration.snapshot_transfers_max(),
        static_cast<std::size_t>(configuration.snapshot_bytes_per_second()),
        configuration.node_bytes_max(),
        configuration.apply_lag_max(),
        static_cast<std::size_t>(configuration.free_bytes_min()),
        configuration.queued_writes_max(),
        configuration.queued_write_bytes_max(),
        configuration.node_queued_writes_max(),
        configuration.node_queued_write_bytes_max()}) {
    text << ' ' << size;
  }
  return text.str();
}

TEST_CASE("every key sets its field") {
  RaftConfiguration configuration;
  REQUIRE(Lines(ReadConfiguration(R"({
    "id": 2, "cluster_id": "harbour", "listen": "[::1]:7001",
    "initial_members": [{"id": 1, "endpoint": "node-1:7001"}, {"endpoint": "[::1]:7001", "id": 2}],
    "initial_partitions": 3, "election_timeout_ms": 601, "heartbeat_interval_ms": 102,
    "stall_ms_max": 603, "proposal_timeout_ms": 604, "read_timeout_ms": 605,
    "leader_timeout_ms": 606, "join_timeout_ms": 607, "ticket_timeout_ms": 621,
    "session_timeout_ms": 622, "clock_ahead_max_ms": 623, "snapshot_step_timeout_ms": 1624,
    "slow_handler_ms": 625, "slow_write_ms": 626, "log_interval_ms": 627,
    "queued_proposals_max": 608,
    "queued_proposal_bytes_max": 2009, "queued_messages_max": 610, "queued_message_bytes_max": 2011,
    "entry_bytes_max": 2000,
    "inflight_bytes_max": 2012, "uncommitted_bytes_max": 2013, "apply_bytes_max": 2014,
    "cache_bytes_max": 2015, "retained_entries": 2016, "compaction_step": 2017,
    "compaction_entries_max": 2018, "snapshot_entries": 2019, "snapshot_transfers_max": 20,
    "snapshot_bytes_per_second": 202100, "node_bytes_max": 2022, "apply_lag_max": 2023,
    "free_bytes_min": 2024, "queued_writes_max": 2025, "queued_write_bytes_max": 2026,
    "node_queued_writes_max": 2027, "node_queued_write_bytes_max": 2028
  })",
                                  configuration)) == "");
  CHECK(Describe(configuration) ==
        "2 harbour [::1]:7001 [1=node-1:7001 2=[::1]:7001 ] 3 601ms 102ms 603ms 604ms 605ms 606ms "
        "607ms 621ms 622ms 623ms 1624ms 625ms 626ms 627ms 608 2009 610 2011 2000 2012 2013 2014 "
        "2015 2016 2017 2018 2019 20 202100 2022 2023 2024 2025 2026 2027 2028");
  CHECK(configuration.Validate().empty());
}

TEST_CASE("what a text does not name keeps its value") {
  RaftConfiguration configuration;
  configuration.Id(NodeId(7)).ReadTimeout(std::chrono::seconds(3));
  const std::string before = Describe(configuration);
  REQUIRE(Lines(ReadConfiguration("{}", configuration)) == "");
  CHECK(Describe(configuration) == before);
  REQUIRE(Lines(ReadConfiguration(R"({"cluster_id": "other"})", configuration)) == "");
  CHECK(configuration.id() == NodeId(7));
  CHECK(configuration.cluster_id() == "other");
  CHECK(configuration.read_timeout() == std::chrono::seconds(3));
}

TEST_CASE("fields that a text does not touch are not its problem") {
  RaftConfiguration configuration;  // without an id
  configuration.ReadTimeout(Duration(-1));
  CHECK(Lines(ReadConfiguration(R"({"cluster_id": "x"})", configuration)) == "");
  // But what it demands of them is.
  CHECK(Lines(ReadConfiguration(R"({"entry_bytes_max": 9000000})", configuration)) ==
        "/inflight_bytes_max: is 8388608, must be at least 9000000 (entry_bytes_max): one entry "
        "must fit\n");
}

struct Row {
  std::string text;
  std::string problems;
};

void CheckRows(const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(row.text);
    RaftConfiguration configuration;
    const std::string before = Describe(configuration);
    CHECK(Lines(ReadConfiguration(row.text, configuration)) == row.problems);
    CHECK(Describe(configuration) == before);
  }
}

TEST_CASE("texts that are no JSON") {
  CheckRows({
      {"", "the text is not JSON: line 1, column 1\n"},
      {"{", "the text is not JSON: line 1, column 2\n"},
      {"{} {}", "the text is not JSON: line 1, column 4\n"},
      {"{\n  \"id\": 1,\n}", "the text is not JSON: line 3, column 1\n"},
      {"{\n  \"id\" 1\n}", "the text is not JSON: line 2, column 8\n"},
      {"{} // why", "the text is not JSON: line 1, column 4\n"},
      {"{\"cluster_id\": \"\xff\"}", "the text is not JSON: line 1, column 17\n"},
      {std::string("{\0}", 3), "the text is not JSON: line 1, column 2\n"},
      {R"({"initial_members": [{"id": 1e999}]})",
       "/initial_members/0/id: is a number beyond all bounds\n"},
      {"[[[[[[[[[[", "/0/0/0/0/0/0/0/0: is nested deeper than 8 levels\n"},
      {std::string(300'000, '['), "the text has 300000 bytes, must be at most 262144\n"},
  });
}

TEST_CASE("values of another type") {
  CheckRows({
      {"[]", "the text is a list, must be an object\n"},
      {"null", "the text is null, must be an object\n"},
      {R"({"id": "1"})", "/id: is \"1\", must be a whole number\n"},
      {R"({"id": 1.5})", "/id: is 1.5, must be a whole number\n"},
      {R"({"id": 1.0})", "/id: is 1.0, must be a whole number\n"},
      {R"({"id": -1})", "/id: is -1, must be 0 or more\n"},
      {R"({"id": 4294967296})", "/id: is 4294967296, must be at most 4294967295\n"},
      {R"({"id": true})", "/id: is true, must be a whole number\n"},
      {R"({"cluster_id": 5})", "/cluster_id: is 5, must be text\n"},
      {R"({"cluster_id": null})", "/cluster_id: is null, must be text\n"},
      {R"({"listen": 7001})", "/listen: is 7001, must be HOST:PORT or [IPV6]:PORT\n"},
      {R"({"election_timeout_ms": "1s"})",
       "/election_timeout_ms: is \"1s\", must be a whole number of milliseconds\n"},
      {R"({"election_timeout_ms": {}})",
       "/election_timeout_ms: is an object, must be a whole number of milliseconds\n"},
      {R"({"election_timeout_ms": 9223372036855})",
       "/election_timeout_ms: is 9223372036855, must be at most 9223372036854\n"},
      {R"({"cache_bytes_max": 18446744073709551616})",
       "/cache_bytes_max: is 1.8446744073709552e+19, must be a whole number\n"},
      {R"({"initial_members": {}})",
       "/initial_members: is an object, must be a list of objects with id and endpoint\n"},
      {R"({"initial_members": [7]})",
       "/initial_members/0: is 7, must be an object with id and endpoint\n"},
      {R"({"initial_members": [{"id": []}]})",
       "/initial_members/0/id: is a list, must be a whole number\n"
       "/initial_members/0/endpoint: is missing\n"},
  });
}

TEST_CASE("endpoints that are none") {
  for (const std::string endpoint :
       {"",      ":",    "a",       "a:",    ":1",     "a:-1",     "a:+1",
        "a: 1",  "a:1 ", "a:65536", "a:1x",  "::1:1",  "[::1]",    "[::1]1",
        "[a]:1", "[]:1", "a b:1",   "a/b:1", "[::1:1", "\\u0001:1"}) {
    RaftConfiguration configuration;
    INFO(endpoint);
    const auto problems = ReadConfiguration(R"({"listen": ")" + endpoint + "\"}", configuration);
    CHECK(Lines(problems) ==
          "/listen: is \"" + endpoint + "\", must be HOST:PORT or [IPV6]:PORT\n");
  }
}

TEST_CASE("keys that are none, or are there twice") {
  CheckRows({
      {R"({"Id": 1})", "/Id: is no key of a configuration\n"},
      {R"({"": 1})", "/: is no key of a configuration\n"},
      {R"({"a/b~c": 1})", "/a~1b~0c: is no key of a configuration\n"},
      {R"({"a\u0007b": 1})", "/a?b: is no key of a configuration\n"},
      {R"({"election_timeout": 5})",
       "/election_timeout: is no key of a configuration; it is election_timeout_ms\n"},
      {R"({"id": 1, "id": 1})", "/id: is there twice\n"},
      {R"({"initial_members": [{"id": 1, "endpoint": "a:1"},
                               {"id": 2, "endpoint": "b:1", "id": 3, "role": "x"}]})",
       "/initial_members/1/id: is there twice\n"
       "/initial_members/1/role: is no key of a configuration\n"},
  });
}

TEST_CASE("ranges, and what fields demand of each other") {
  CheckRows({
      {R"({"id": 0})", "/id: is 0, must be 1 to 4294967295\n"},
      {R"({"cluster_id": ""})", "/cluster_id: is \"\" of 0 bytes, must be 1 to 128 bytes\n"},
      {R"({"election_timeout_ms": 5})",
       "/election_timeout_ms: is 5 ms, must be 10 ms to 300000 ms\n"},
      {R"({"heartbeat_interval_ms": 500})",
       "/heartbeat_interval_ms: is 500 ms, must be 0 (a sixth of election_timeout), or above 0 and "
       "below half of election_timeout, which is 1000 ms\n"},
      {R"({"initial_members": [{"id": 1, "endpoint": "a:0"}, {"id": 1, "endpoint": "b:1"}]})",
       "/initial_members/0/endpoint: is \"a:0\", must be a host and a port of 1 to 65535\n"
       "/initial_members/1/id: is 1, must be another one than that of initial_members[0]\n"},
      {R"({"uncommitted_bytes_max": 1})",
       "/uncommitted_bytes_max: is 1, must be at least 8388608 (entry_bytes_max): one entry must "
       "fit\n"},
  });
}

TEST_CASE("all problems come at once, and none that follows from another") {
  CheckRows({
      {R"({"id": 0, "listen": "x", "entry_bytes_max": "8M", "inflight_bytes_max": 1,
           "read_timeout_ms": 0, "speed": 1, "id": 0})",
       "/id: is there twice\n"
       "/entry_bytes_max: is \"8M\", must be a whole number\n"
       "/listen: is \"x\", must be HOST:PORT or [IPV6]:PORT\n"
       "/speed: is no key of a configuration\n"
       "/id: is 0, must be 1 to 4294967295\n"
       "/read_timeout_ms: is 0 ms, must be 1 ms to 3600000 ms\n"},
  });
}

TEST_CASE("pointers are exact where lines are readable") {
  RaftConfiguration configuration;
  const auto problems =
      ReadConfiguration(R"({"a\nb": 1, "id": ")" + std::string(500, 'x') + "\"}", configuration);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0] == ConfigurationProblem("/a\nb", "is no key of a configuration"));
  CHECK(problems[1].what().size() < 120);
}

TEST_CASE("a list of members has a bound") {
  std::string text = R"({"initial_members": [)";
  for (int i = 0; i <= 256; ++i) text += i == 0 ? "1" : ",1";
  RaftConfiguration configuration;
  CHECK(Lines(ReadConfiguration(text + "]}", configuration)) ==
        "/initial_members: has 257 members, must be at most 256\n");
}

// --- command lines ------------------------------------------------------------------------------

using Arguments = std::vector<ConfigurationArgument>;

TEST_CASE("a command line sets what a text sets") {
  const std::string members = R"([{"id": 1, "endpoint": "10.0.0.1:7001"},
                                  {"id": 2, "endpoint": "[::1]:7001"}])";
  for (const ConfigurationKey& key : ConfigurationKeys()) {
    if (key.option().empty()) continue;
    INFO(key.name());
    std::string value = "999";
    if (key.unit() == "bytes") value = "20971520";
    if (key.unit() == "ms") value = key.name() == "heartbeat_interval_ms" ? "300" : "1999";
    if (key.name() == "entry_bytes_max") value = "8000000";
    if (key.name() == "listen") value = "10.0.0.1:7001";
    if (key.name() == "cluster_id") value = "harbour";
    std::string json = key.kind() == ConfigurationKey::Kind::kNumber ? value : '"' + value + '"';
    if (key.name() == "initial_members") {
      json = members;
      value = "1=10.0.0.1:7001,2=[::1]:7001";
    }
    RaftConfiguration by_text;
    RaftConfiguration by_argument;
    CHECK(Lines(ReadConfiguration("{\"" + key.name() + "\": " + json + "}", by_text)) == "");
    CHECK(Lines(ReadArguments(Arguments{{key.option(), value}}, by_argument)) == "");
    CHECK(Describe(by_argument) == Describe(by_text));
    CHECK(Describe(by_argument) != Describe(RaftConfiguration()));
  }
}

TEST_CASE("every mistake on a command line, by the name of its option") {
  const auto problems_of = [](const Arguments& arguments) {
    RaftConfiguration configuration;
    const std::string lines = Lines(ReadArguments(arguments, configuration));
    CHECK(Describe(configuration) == Describe(RaftConfiguration()));
    return lines;
  };
  CHECK(problems_of({{"--election-timeout-ms", "5"}, {"--id", "x"}, {"--speed", "1"}}) ==
        "--speed: is no option\n"
        "--id: is \"x\", must be a whole number\n"
        "--election-timeout-ms: is 5 ms, must be 10 ms to 300000 ms\n");
  CHECK(problems_of({{"--id", "1"}, {"--id", "1"}}) == "--id: is there twice\n");
  CHECK(problems_of({{"--id", "-1"}}) == "--id: is -1, must be 0 or more\n");
  CHECK(problems_of({{"--id", ""}}) == "--id: is \"\", must be a whole number\n");
  CHECK(problems_of({{"--id", "99999999999999999999"}}) ==
        "--id: is \"99999999999999999999\", must be a whole number\n");
  CHECK(problems_of({{"--initial-members", "a:1"}}) ==
        "--initial-members/0: is \"a:1\", must be ID=HOST:PORT\n");
  CHECK(problems_of({{"--initial-members", "1=a:1,x=b:1"}}) ==
        "--initial-members/1/id: is \"x\", must be a whole number\n");
  CHECK(problems_of({{"--initial-members", "1=a:1,1=b:1"}}) ==
        "--initial-members/1/id: is 1, must be another one than that of initial_members[0]\n");
  CHECK(problems_of({{"--listen", "\xff\x01"}}) ==
        "--listen: is \"\\ufffd\\u0001\", must be HOST:PORT or [IPV6]:PORT\n");
  CHECK(problems_of({{"", "1"}}) == "--: is no option\n");
}

// --- keys of an application's own ---------------------------------------------------------------

class OwnKeys {
 public:
  OwnKeys() {
    using Kind = ConfigurationKey::Kind;
    const auto keep = [this](const char* name, Kind kind, const char* only) {
      keys_.emplace_back(ConfigurationKey(name, kind),
                         [this, name, only](std::string_view text) -> std::string {
                           taken_ += std::string(name) + "=" + std::string(text) + ";";
                           return text == only ? "" : only;
                         });
    };
    keep("wal", Kind::kText, "sqlite");
    keep("wal_shards", Kind::kNumber, "4");
    keep("is_loud", Kind::kBoolean, "true");
  }
  [[nodiscard]] std::span<const ApplicationKey> keys() const { return keys_; }
  [[nodiscard]] std::string Taken() { return std::exchange(taken_, ""); }

 private:
  std::vector<ApplicationKey> keys_;
  std::string taken_;
};

TEST_CASE("an application's own keys stand among the node's") {
  OwnKeys own;
  RaftConfiguration configuration;
  CHECK(Lines(ReadConfiguration(R"({"id": 3, "wal": "sqlite", "wal_shards": 4, "is_loud": true})",
                                configuration, own.keys())) == "");
  CHECK(own.Taken() == "is_loud=true;wal=sqlite;wal_shards=4;");
  CHECK(configuration.id() == NodeId(3));
  CHECK(Lines(ReadArguments(
            Arguments{{"--wal", "sqlite"}, {"--wal-shards", "4"}, {"--is-loud", "true"}},
            configuration, own.keys())) == "");
  CHECK(own.Taken() == "is_loud=true;wal=sqlite;wal_shards=4;");
}

TEST_CASE("problems of an application's own keys are told with the others") {
  OwnKeys own;
  RaftConfiguration configuration;
  CHECK(Lines(ReadConfiguration(R"({"id": 0, "wal": "files", "wal_shards": "4", "is_loud": 1})",
                                configuration, own.keys())) ==
        "/is_loud: is 1, must be true or false\n"
        "/wal: is \"files\", must be sqlite\n"
        "/wal_shards: is \"4\", must be a whole number\n"
        "/id: is 0, must be 1 to 4294967295\n");
  CHECK(own.Taken() == "wal=files;");  // the others are of the wrong kind
  CHECK(Lines(ReadArguments(Arguments{{"--id", "3"}, {"--wal-shards", "5"}, {"--is-loud", "yes"}},
                            configuration, own.keys())) ==
        "--is-loud: is \"yes\", must be true or false\n"
        "--wal-shards: is 5, must be 4\n");
  CHECK_FALSE(configuration.id());
}

// --- docs/configuration.md ----------------------------------------------------------------------

struct Documented {
  std::string key;
  std::string unit;
  std::string default_value;
  std::string range;
  std::string what;
};

std::vector<Documented> DocumentedKeys() {
  std::ifstream page(CONFIGURATION_PAGE);
  std::vector<Documented> rows;
  const std::regex row(R"(\| `([a-z_.\[\]]+)` \| *([^|]*?) *\| *(?:`([^`|]*)`|([^|]*?)) *)"
                       R"(\| *([^|]*?) *\| *([^|]*?) *\|)");
  std::smatch cells;
  for (std::string line; std::getline(page, line);) {
    if (!std::regex_match(line, cells, row)) continue;
    rows.push_back({cells[1], cells[2], cells[3], cells[5], cells[6]});
    for (std::string* text : {&rows.back().range, &rows.back().what}) std::erase(*text, '`');
  }
  return rows;
}

TEST_CASE("the page lists exactly the keys that can be read, and says of them what they say") {
  const auto keys = ConfigurationKeys();
  const auto documented = DocumentedKeys();
  REQUIRE(documented.size() == keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    CHECK(documented[i].key == keys[i].name());
    CHECK(documented[i].unit == keys[i].unit());
    if (keys[i].default_text() != "empty") {
      CHECK(documented[i].default_value == keys[i].default_text());
    }
    CHECK(documented[i].range == keys[i].range());
    CHECK(documented[i].what == keys[i].what());
  }
}

TEST_CASE("the page's defaults are the defaults") {
  std::size_t checked = 0;
  for (const Documented& row : DocumentedKeys()) {
    if (row.default_value.empty()) continue;
    INFO(row.key);
    const bool is_number = row.default_value.find_first_not_of("0123456789") == std::string::npos;
    const std::string value = is_number ? row.default_value : '"' + row.default_value + '"';
    RaftConfiguration configuration;
    CHECK(Lines(ReadConfiguration("{\"" + row.key + "\": " + value + "}", configuration)) == "");
    CHECK(Describe(configuration) == Describe(RaftConfiguration()));
    ++checked;
  }
  CHECK(checked == 39);
}

TEST_CASE("the page's ranges are where values are refused") {
  const std::regex range(R"((\d+)\.\.(\d+))");
  std::smatch bounds;
  std::size_t checked = 0;
  for (const Documented& row : DocumentedKeys()) {
    if (!std::regex_match(row.range, bounds, range)) continue;
    const std::size_t bracket = row.key.find("[].");
    const auto problems_with = [&](std::uint64_t value) {
      RaftConfiguration configuration;
      configuration.InflightBytesMax(std::size_t{64} << 20);
      std::string text = "{\"" + row.key.substr(0, bracket) + "\": ";
      text += bracket == row.key.npos
                  ? std::to_string(value)
                  : "[{\"endpoint\": \"a:1\", \"" + row.key.substr(bracket + 3) +
                        "\": " + std::to_string(value) + "}]";
      return Lines(ReadConfiguration(text + "}", configuration));
    };
    INFO(row.key);
    const std::uint64_t least = std::stoull(bounds[1]);
    const std::uint64_t most = std::stoull(bounds[2]);
    CHECK(problems_with(least) == "");
    CHECK(problems_with(most) == "");
    CHECK(problems_with(most + 1) != "");
    if (least > 0) CHECK(problems_with(least - 1) != "");
    ++checked;
  }
  CHECK(checked == 25);
}

}  // namespace
}  // namespace kommander
