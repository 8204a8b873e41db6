// An operator's file: every text is either read whole or refused with problems that name a place.
#include <algorithm>

#include <kommander/configuration_file.hpp>

#include "target.hpp"

namespace kommander::fuzz {
namespace {

// An RFC 6901 pointer: "" or "/..." in which every tilde is followed by 0 or 1.
bool IsPointer(std::string_view pointer) {
  if (!pointer.empty() && pointer.front() != '/') return false;
  for (std::size_t at = pointer.find('~'); at != pointer.npos; at = pointer.find('~', at + 1)) {
    const std::string_view next = pointer.substr(at + 1, 1);
    if (next != "0" && next != "1") return false;
  }
  return true;
}

bool IsReadable(std::string_view line) {
  for (const char c : line) {
    if ((c >= 0 && c < ' ') || c == 127) return false;
  }
  return !line.empty();
}

RaftConfiguration Known() {
  RaftConfiguration configuration;
  configuration.Id(NodeId(7)).ClusterId("before").InitialPartitions(9);
  return configuration;
}

// Lines of an option and its value, as a command line would give them.
void RunAsArguments(std::string_view text) {
  std::vector<ConfigurationArgument> arguments;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const std::size_t space = std::min(line.find(' '), line.size());
    arguments.emplace_back(line.substr(0, space), line.substr(std::min(space + 1, line.size())));
  }
  RaftConfiguration configuration = Known();
  const auto problems = ReadArguments(arguments, configuration);
  for (const ConfigurationProblem& problem : problems) {
    FUZZ_REQUIRE(problem.pointer().starts_with("--") && IsReadable(problem.what()));
  }
  FUZZ_REQUIRE(problems.empty() ? configuration.Validate().empty()
                                : configuration.id() == Known().id());
}

void Run(ByteSpan input) {
  RunAsArguments(AsText(input));
  RaftConfiguration configuration = Known();
  const auto problems = ReadConfiguration(AsText(input), configuration);
  for (const ConfigurationProblem& problem : problems) {
    FUZZ_REQUIRE(IsPointer(problem.pointer()) && IsReadable(problem.what()));
    FUZZ_REQUIRE(IsReadable(problem.ToString()));
  }
  if (!problems.empty()) {
    const RaftConfiguration known = Known();
    FUZZ_REQUIRE(configuration.id() == known.id());
    FUZZ_REQUIRE(configuration.cluster_id() == known.cluster_id());
    FUZZ_REQUIRE(configuration.initial_partitions() == known.initial_partitions());
    FUZZ_REQUIRE(configuration.election_timeout() == known.election_timeout());
    return;
  }
  // What was accepted is valid, but for what the text did not touch; and it is read alike again.
  FUZZ_REQUIRE(configuration.Validate().empty());
  RaftConfiguration again = configuration;
  FUZZ_REQUIRE(ReadConfiguration(AsText(input), again).empty());
  FUZZ_REQUIRE(again.id() == configuration.id() && again.listen() == configuration.listen());
  FUZZ_REQUIRE(again.initial_members() == configuration.initial_members());
  for (const NodeAddress& member : configuration.initial_members()) {
    const std::string text = "{\"listen\": \"" + member.endpoint.ToString() + "\"}";
    FUZZ_REQUIRE(ReadConfiguration(text, again).empty() && again.listen() == member.endpoint);
  }
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds = {
      "{}",
      R"({"id":1,"cluster_id":"harbour","listen":"10.0.0.1:7001","initial_members":[)"
      R"({"id":1,"endpoint":"10.0.0.1:7001"},{"id":2,"endpoint":"[::1]:7001"}]})",
      R"({"id":1,"id":2,"a/b~c":[[[[]]]],"listen":"x","entry_bytes_max":"8M"})",
      "--id 3\n--listen [::1]:7001\n--initial-members 1=a:1,2=b:2\n--election-timeout-ms 20\n--x",
      R"({"cluster_id":"\u00e4\ud83d\ude00\n","read_timeout_ms":1e3})",
  };
  for (const ConfigurationKey& key : ConfigurationKeys()) {
    if (!key.option().empty()) seeds.push_back("{\"" + key.name() + "\": 1000}");
  }
  return seeds;
}

}  // namespace

constexpr Target kConfigurationFileTarget{"configuration_file", &Run, &Seeds};

}  // namespace kommander::fuzz
