// A command line as the object that a file with the same values would hold.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include <kommander/configuration_file.hpp>

#include "manager/configuration_keys.hpp"
#include "manager/configuration_reader.hpp"

namespace kommander {
namespace {

using Json = nlohmann::json;
using Kind = ConfigurationKey::Kind;

// A number if it is one, else text, which whoever reads it will refuse by name.
Json NumberOf(std::string_view text) {
  const auto parse = [text](auto number) -> Json {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || end != text.data() + text.size()) return Json();
    return number;
  };
  Json number = parse(std::uint64_t{0});
  if (number.is_null()) number = parse(std::int64_t{0});  // "is -1, must be 0 or more"
  return number.is_null() ? Json(text) : number;
}

// "1=10.0.0.1:7001,2=10.0.0.2:7001"
Json MembersOf(std::string_view text, const ConfigurationPlace& place) {
  Json members = Json::array();
  while (!text.empty()) {
    const std::string_view member = text.substr(0, text.find(','));
    text.remove_prefix(std::min(member.size() + 1, text.size()));
    const std::size_t equals = member.find('=');
    if (equals == std::string_view::npos) {
      place.At(std::to_string(members.size())).Refuse(Json(member), "ID=HOST:PORT");
    } else {
      members.push_back(
          {{"id", NumberOf(member.substr(0, equals))}, {"endpoint", member.substr(equals + 1)}});
    }
  }
  return members;
}

Json ValueOf(Kind kind, std::string_view text, const ConfigurationPlace& place) {
  switch (kind) {
    case Kind::kNumber: return NumberOf(text);
    case Kind::kBoolean: return text == "true" ? Json(true) : text == "false" ? Json(false) : text;
    case Kind::kMembers: return MembersOf(text, place);
    case Kind::kText: break;
  }
  return text;
}

std::optional<Kind> KindOf(std::string_view name, std::span<const ApplicationKey> own) {
  for (const ConfigurationRow& row : ConfigurationRows()) {
    if (row.name == name) return row.kind;
  }
  for (const ApplicationKey& key : own) {
    if (key.key().name() == name) return key.key().kind();
  }
  return std::nullopt;
}

// "/election_timeout_ms" -> "--election-timeout-ms"; what follows a second slash stays.
ConfigurationProblem OnCommandLine(const ConfigurationProblem& problem) {
  const std::string& pointer = problem.pointer();
  const std::size_t end = std::min(pointer.find('/', 1), pointer.size());
  std::string option = "--" + pointer.substr(1, end - 1);
  std::ranges::replace(option, '_', '-');
  return {option + pointer.substr(end), problem.what()};
}

}  // namespace

std::vector<ConfigurationProblem> ReadArguments(std::span<const ConfigurationArgument> arguments,
                                                RaftConfiguration& configuration,
                                                std::span<const ApplicationKey> own) {
  Problems problems;
  const ConfigurationPlace place{"", &problems};
  Json object = Json::object();
  for (const auto& [option, text] : arguments) {
    std::string name = option.substr(std::min(option.find_first_not_of('-'), option.size()));
    std::ranges::replace(name, '-', '_');
    const auto kind = KindOf(name, own);
    if (!kind) {
      place.At(name).Refuse("is no option");
    } else if (object.contains(name)) {
      place.At(name).Refuse("is there twice");
    } else {
      object[name] = ValueOf(*kind, text, place.At(name));
    }
  }
  ReadConfigurationObject(object, configuration, own, problems);
  std::ranges::transform(problems, problems.begin(), OnCommandLine);
  return problems;
}

}  // namespace kommander
