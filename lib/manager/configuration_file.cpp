#include <algorithm>
#include <limits>
#include <span>

#include <kommander/configuration_file.hpp>

#include "manager/configuration_findings.hpp"
#include "manager/configuration_keys.hpp"
#include "manager/configuration_reader.hpp"
#include "manager/configuration_text.hpp"

namespace kommander {
namespace {

using Json = nlohmann::json;

// Which fields are named, and which of them could not be read.
struct Touched {
  std::vector<std::string_view> set;
  std::vector<std::string_view> failed;
};

// Whether one of these fields is the finding's own, or sets its bound.
bool Concerns(const ConfigurationFinding& finding, const std::vector<std::string_view>& fields) {
  const std::string_view whole = std::string_view(finding.field).substr(0, finding.field.find('['));
  return std::ranges::any_of(
      fields, [&](std::string_view field) { return field == whole || field == finding.bound_by; });
}

// "initial_members[0].id" -> "/initial_members/0/id"
std::string PointerOfField(std::string_view field) {
  for (const ConfigurationRow& row : ConfigurationRows()) {
    if (field == row.field) return PointerTo("", row.name);
  }
  std::string pointer = "/";
  for (const char c : field) {
    if (c == '[' || c == '.') {
      pointer += '/';
    } else if (c != ']') {
      pointer += c;
    }
  }
  return pointer;
}

// Ranges, and what fields demand of each other: one judge for texts and for programs.
void AddRanges(const RaftConfiguration& configuration, const Touched& touched, Problems& problems) {
  for (const ConfigurationFinding& finding : FindProblems(configuration)) {
    if (!Concerns(finding, touched.set) || Concerns(finding, touched.failed)) continue;
    problems.emplace_back(PointerOfField(finding.field), finding.what);
  }
}

// The value of an application's own key as text; false, and a problem told, when it is no such.
bool ReadOwn(const Json& value, const ConfigurationPlace& place, ConfigurationKey::Kind kind,
             std::string& text) {
  using Kind = ConfigurationKey::Kind;
  if (kind == Kind::kBoolean) {
    if (!value.is_boolean()) return place.Refuse(value, "true or false");
    text = value.get<bool>() ? "true" : "false";
    return true;
  }
  if (kind == Kind::kText) {
    if (!value.is_string()) return place.Refuse(value, "text");
    text = value.get<std::string>();
    return true;
  }
  std::uint64_t number = 0;
  if (!ReadNumber(value, place, std::numeric_limits<std::uint64_t>::max(), number)) return false;
  text = std::to_string(number);
  return true;
}

void SetOwn(const ApplicationKey& key, const Json& value, const ConfigurationPlace& place) {
  std::string text;
  if (!ReadOwn(value, place, key.key().kind(), text)) return;
  const std::string expected = key.Set(text);
  if (!expected.empty()) place.Refuse(value, expected);
}

void RefuseUnknown(const ConfigurationPlace& place, std::string_view name) {
  const auto rows = ConfigurationRows();
  const auto meant = std::ranges::find(rows, name, &ConfigurationRow::field);
  const std::string hint = meant == rows.end() ? "" : "; it is " + std::string(meant->name);
  place.At(name).Refuse("is no key of a configuration" + hint);
}

}  // namespace

std::string ConfigurationKey::option() const {
  if (name_.find('[') != std::string::npos) return {};
  std::string option = "--" + name_;
  std::ranges::replace(option, '_', '-');
  return option;
}

std::string ConfigurationProblem::ToString() const {
  std::string line = pointer_.empty() ? "the text" : pointer_;
  for (char& c : line) {
    if ((c >= 0 && c < ' ') || c == 127) c = '?';
  }
  return line + (pointer_.empty() ? " " : ": ") + what_;
}

void ReadConfigurationObject(const Json& object, RaftConfiguration& configuration,
                             std::span<const ApplicationKey> own, Problems& problems) {
  const ConfigurationPlace place{"", &problems};
  RaftConfiguration read = configuration;
  Touched touched;
  const auto rows = ConfigurationRows();
  for (const auto& [name, value] : object.items()) {
    const auto row = std::ranges::find(rows, std::string_view(name), &ConfigurationRow::name);
    const auto key = std::ranges::find_if(
        own, [&name = name](const ApplicationKey& one) { return one.key().name() == name; });
    if (row != rows.end()) {
      const bool is_set = row->set(value, place.At(name), read);
      (is_set ? touched.set : touched.failed).push_back(row->field);
    } else if (key != own.end()) {
      SetOwn(*key, value, place.At(name));
    } else {
      RefuseUnknown(place, name);
    }
  }
  AddRanges(read, touched, problems);
  if (problems.empty()) configuration = std::move(read);
}

std::vector<ConfigurationProblem> ReadConfiguration(std::string_view text,
                                                    RaftConfiguration& configuration,
                                                    std::span<const ApplicationKey> own) {
  Problems problems;
  const std::optional<Json> json = ParseConfigurationText(text, problems);
  if (!json) return problems;
  if (json->is_object()) {
    ReadConfigurationObject(*json, configuration, own, problems);
  } else {
    ConfigurationPlace{"", &problems}.Refuse(*json, "an object");
  }
  return problems;
}

}  // namespace kommander
