// A RaftConfiguration out of JSON text, as operators write it, and out of a command line.
// docs/configuration.md lists the keys with units, defaults and ranges. Left out where the library
// was built without nlohmann_json, which nothing else of it needs.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/raft_configuration.hpp>

namespace kommander {

// Longer texts are refused unread.
inline constexpr std::size_t kConfigurationTextBytesMax = std::size_t{256} << 10;
// Deeper ones too: no key needs more than an object in a list in an object.
inline constexpr std::size_t kConfigurationDepthMax = 8;

// One thing that is wrong with a text.
class KOMMANDER_EXPORT ConfigurationProblem {
 public:
  ConfigurationProblem(std::string pointer, std::string what)
      : pointer_(std::move(pointer)), what_(std::move(what)) {}

  // Where, as a JSON pointer (RFC 6901): "/initial_members/0/id"; empty: the text as a whole. On a
  // command line the option: "--initial-members/0/id".
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

// One key: in a text by its name, on a command line by the same name with dashes.
class KOMMANDER_EXPORT ConfigurationKey {
 public:
  // What a text has there. `kMembers` is a list of objects with id and endpoint, on a command line
  // ID=HOST:PORT,ID=HOST:PORT; an application's own key cannot be of that kind.
  enum class Kind { kNumber, kText, kBoolean, kMembers };

  ConfigurationKey(std::string name, Kind kind) : name_(std::move(name)), kind_(kind) {}
  ConfigurationKey& Unit(std::string unit) {
    unit_ = std::move(unit);
    return *this;
  }
  ConfigurationKey& Default(std::string text) {
    default_text_ = std::move(text);
    return *this;
  }
  ConfigurationKey& Range(std::string range) {
    range_ = std::move(range);
    return *this;
  }
  ConfigurationKey& What(std::string what) {
    what_ = std::move(what);
    return *this;
  }

  // "election_timeout_ms". "initial_members[].id" is one of each member.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // "--election-timeout-ms"; empty for a key of each member.
  [[nodiscard]] std::string option() const;
  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  // For people: "ms", "1000", "10..300000", and a line that says what it is. Each may be empty.
  [[nodiscard]] const std::string& unit() const noexcept { return unit_; }
  [[nodiscard]] const std::string& default_text() const noexcept { return default_text_; }
  [[nodiscard]] const std::string& range() const noexcept { return range_; }
  [[nodiscard]] const std::string& what() const noexcept { return what_; }

 private:
  std::string name_;
  Kind kind_;
  std::string unit_;
  std::string default_text_;
  std::string range_;
  std::string what_;
};

// Every key that may be in a text, in the order of the page that lists them.
[[nodiscard]] KOMMANDER_EXPORT std::vector<ConfigurationKey> ConfigurationKeys();

// A key of the application's own, which stands among the node's in one text and on one command
// line.
class ApplicationKey {
 public:
  // Takes the value, as text: a number in decimal, "true" or "false". Answers nothing when it is
  // fine, else what is expected: "1 to 64".
  using Setter = std::function<std::string(std::string_view text)>;

  ApplicationKey(ConfigurationKey key, Setter set) : key_(std::move(key)), set_(std::move(set)) {}

  [[nodiscard]] const ConfigurationKey& key() const noexcept { return key_; }
  [[nodiscard]] std::string Set(std::string_view text) const { return set_(text); }

 private:
  ConfigurationKey key_;
  Setter set_;
};

// Sets in `configuration` what the text names, and keeps the rest: defaults, or what came from
// elsewhere. Answers every problem of the text; if there is one, nothing was set, except that the
// setters of the application's `own` keys have been called for every value of the right kind.
// Problems of fields that the text does not touch, such as an id that the command line will give,
// are left to RaftConfiguration::Validate().
[[nodiscard]] KOMMANDER_EXPORT std::vector<ConfigurationProblem> ReadConfiguration(
    std::string_view text, RaftConfiguration& configuration,
    std::span<const ApplicationKey> own = {});

// An option of a command line and its value: {"--election-timeout-ms", "300"}.
using ConfigurationArgument = std::pair<std::string, std::string>;

// The same from a command line, which a library for command lines has taken apart. A problem's
// place is the option's name then: "--election-timeout-ms", "--initial-members/0/id".
[[nodiscard]] KOMMANDER_EXPORT std::vector<ConfigurationProblem> ReadArguments(
    std::span<const ConfigurationArgument> arguments, RaftConfiguration& configuration,
    std::span<const ApplicationKey> own = {});

}  // namespace kommander
