// A RaftConfiguration out of JSON text, as operators write it. docs/configuration.md lists the keys
// with units, defaults and ranges. Left out where the library was built without nlohmann_json,
// which nothing else of it needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kommander/raft_configuration.hpp>

namespace kommander {

// Longer texts are refused unread.
inline constexpr std::size_t kConfigurationTextBytesMax = std::size_t{256} << 10;
// Deeper ones too: no key needs more than an object in a list in an object.
inline constexpr std::size_t kConfigurationDepthMax = 8;

// One thing that is wrong with a text.
class ConfigurationProblem {
 public:
  ConfigurationProblem(std::string pointer, std::string what)
      : pointer_(std::move(pointer)), what_(std::move(what)) {}

  // Where, as a JSON pointer (RFC 6901): "/initial_members/0/id"; empty: the text as a whole.
  [[nodiscard]] const std::string& pointer() const noexcept { return pointer_; }
  // "is 5 ms, must be 10 ms to 300000 ms"
  [[nodiscard]] const std::string& what() const noexcept { return what_; }
  // Both, in one line. Control characters of a key are shown as "?".
  [[nodiscard]] std::string ToString() const;

  friend bool operator==(const ConfigurationProblem&, const ConfigurationProblem&) = default;

 private:
  std::string pointer_;
  std::string what_;
};

// Sets in `configuration` what the text names, and keeps the rest: defaults, or what came from
// elsewhere. Answers every problem of the text; if there is one, nothing was set. Problems of
// fields that the text does not touch, such as an id that the command line will give, are left to
// RaftConfiguration::Validate().
[[nodiscard]] std::vector<ConfigurationProblem> ReadConfiguration(std::string_view text,
                                                                  RaftConfiguration& configuration);

// Every key that may be in a text; "initial_members[].id" is one of each member.
[[nodiscard]] std::vector<std::string_view> ConfigurationKeys();

}  // namespace kommander
