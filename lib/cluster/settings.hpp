// The cluster's settings as a part of the system partition's state: what may be in them, and how
// they become bytes. Bytes: docs/protocol.md, docs/formats.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/cluster_settings.hpp>

namespace kommander::cluster {

// What a log may say, beyond IsClusterSettingName: also a first byte '_', of the library itself.
[[nodiscard]] bool IsSettingName(std::string_view name) noexcept;

class Settings {
 public:
  enum class Outcome : std::uint8_t {
    kChanged,
    kUnchanged,       // what was to be removed is not there
    kTooMany,         // it would be one more than kClusterSettingsMax
    kAnotherVersion,  // not the expected one
  };

  // Both change nothing unless they answer kChanged. `expected`: the version that the setting must
  // have; 0: it must not be there; none: whatever it is.
  Outcome Set(std::string_view name, ByteSpan value, LogIndex version,
              std::optional<LogIndex> expected);
  Outcome Remove(std::string_view name, std::optional<LogIndex> expected);

  // Ascending by name.
  [[nodiscard]] const std::vector<ClusterSetting>& all() const noexcept { return settings_; }
  [[nodiscard]] bool empty() const noexcept { return settings_.empty(); }

  [[nodiscard]] Payload Serialize() const;
  // None: not such bytes.
  [[nodiscard]] static std::optional<Settings> Restore(ByteSpan bytes);

  friend bool operator==(const Settings&, const Settings&) = default;

 private:
  std::vector<ClusterSetting> settings_;
};

}  // namespace kommander::cluster
