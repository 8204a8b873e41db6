// Small facts that the whole cluster shares: a map of names to values that the system partition
// replicates, for what operators and services want every node to know and may change while it runs.
// A value, the same on every node once it has applied the same commands.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>
#include <kommander/payload.hpp>

namespace kommander {

inline constexpr std::size_t kClusterSettingsMax = 256;            // in the whole map
inline constexpr std::size_t kClusterSettingNameBytesMax = 128;    // of a name
inline constexpr std::size_t kClusterSettingValueBytesMax = 4096;  // of a value

// One name and its value.
struct ClusterSetting {
  ClusterSetting() = default;
  ClusterSetting(std::string setting_name, LogIndex setting_version, Payload setting_value)
      : name(std::move(setting_name)), version(setting_version), value(std::move(setting_value)) {}
  friend bool operator==(const ClusterSetting&, const ClusterSetting&) = default;
  std::string name;
  LogIndex version;  // the entry of the system partition that set it last; never the same again
  Payload value;     // may be empty
};

class KOMMANDER_EXPORT ClusterSettings {
 public:
  ClusterSettings() = default;
  // Ascending by name, each name once.
  explicit ClusterSettings(std::vector<ClusterSetting> settings) : settings_(std::move(settings)) {}

  // Ascending by name, byte by byte.
  [[nodiscard]] const std::vector<ClusterSetting>& settings() const noexcept { return settings_; }
  // Null: there is none.
  [[nodiscard]] const ClusterSetting* Find(std::string_view name) const noexcept;
  friend bool operator==(const ClusterSettings&, const ClusterSettings&) = default;

 private:
  std::vector<ClusterSetting> settings_;
};

// What an application may call a setting: 1 to 128 bytes of a-z, A-Z, 0-9 and . - _ / in which the
// first one is no '_'; names that begin with it are the library's own.
[[nodiscard]] KOMMANDER_EXPORT bool IsClusterSettingName(std::string_view name) noexcept;

}  // namespace kommander
