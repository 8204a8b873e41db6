#include "cluster/settings.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "codec/little_endian.hpp"
#include "mutants/mutants.hpp"

namespace kommander {
namespace {

bool IsNameByte(char byte) noexcept {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '.' || byte == '-' || byte == '_' || byte == '/';
}

// Where the setting is, or belongs.
std::vector<ClusterSetting>::const_iterator PlaceOf(const std::vector<ClusterSetting>& settings,
                                                    std::string_view name) noexcept {
  return std::lower_bound(
      settings.begin(), settings.end(), name,
      [](const ClusterSetting& setting, std::string_view text) { return setting.name < text; });
}

}  // namespace

const ClusterSetting* ClusterSettings::Find(std::string_view name) const noexcept {
  const auto place = PlaceOf(settings_, name);
  return place != settings_.end() && place->name == name ? &*place : nullptr;
}

bool IsClusterSettingName(std::string_view name) noexcept {
  return cluster::IsSettingName(name) && name.front() != '_';
}

namespace cluster {
namespace {

constexpr std::size_t kCountBytes = 4;
constexpr std::size_t kSettingBytes = 11;  // before name and value

bool IsExpected(LogIndex version, std::optional<LogIndex> expected) noexcept {
  return !expected || *expected == version;
}

}  // namespace

bool IsSettingName(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kClusterSettingNameBytesMax &&
         std::all_of(name.begin(), name.end(), IsNameByte);
}

// The value is copied: it would keep the whole buffer in which the command came.
Settings::Outcome Settings::Set(std::string_view name, ByteSpan value, LogIndex version,
                                std::optional<LogIndex> expected) {
  const auto place = settings_.begin() + (PlaceOf(settings_, name) - settings_.cbegin());
  const bool is_there = place != settings_.end() && place->name == name;
  if (!IsExpected(is_there ? place->version : LogIndex(), expected)) {
    return Outcome::kAnotherVersion;
  }
  if (is_there) {
    place->version = version;
    place->value = Payload(value);
    return Outcome::kChanged;
  }
  const bool is_full = settings_.size() >= kClusterSettingsMax;
  if (is_full && !KOMMANDER_MUTANT(settings_unbounded)) return Outcome::kTooMany;
  settings_.emplace(place, std::string(name), version, Payload(value));
  return Outcome::kChanged;
}

Settings::Outcome Settings::Remove(std::string_view name, std::optional<LogIndex> expected) {
  const auto place = PlaceOf(settings_, name);
  const bool is_there = place != settings_.cend() && place->name == name;
  if (!IsExpected(is_there ? place->version : LogIndex(), expected)) {
    return Outcome::kAnotherVersion;
  }
  if (!is_there) return Outcome::kUnchanged;
  settings_.erase(place);
  return Outcome::kChanged;
}

Payload Settings::Serialize() const {
  std::size_t size = kCountBytes;
  for (const ClusterSetting& setting : settings_) {
    size += kSettingBytes + setting.name.size() + setting.value.size();
  }
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  codec::ByteWriter writer(buffer.get());
  writer.Put(static_cast<std::uint32_t>(settings_.size()));
  for (const ClusterSetting& setting : settings_) {
    writer.Put(setting.version.value());
    writer.Put(static_cast<std::uint8_t>(setting.name.size()));
    writer.Put(static_cast<std::uint16_t>(setting.value.size()));
    writer.PutBytes(AsBytes(setting.name));
    writer.PutBytes(setting.value.bytes());
  }
  const ByteSpan bytes(buffer.get(), size);
  return Payload(std::shared_ptr<const void>(std::move(buffer)), bytes);
}

std::optional<Settings> Settings::Restore(ByteSpan bytes) {
  codec::ByteReader reader(bytes);
  const auto count = reader.Get<std::uint32_t>();
  if (count > kClusterSettingsMax) return std::nullopt;
  Settings restored;
  restored.settings_.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const LogIndex version(reader.Get<std::uint64_t>());
    const auto name_bytes = reader.Get<std::uint8_t>();
    const auto value_bytes = reader.Get<std::uint16_t>();
    const std::string_view name = AsText(reader.GetBytes(name_bytes));
    const ByteSpan value = reader.GetBytes(value_bytes);
    const bool ascends = restored.empty() || restored.settings_.back().name < name;
    const bool is_right = reader.ok() && version && IsSettingName(name) && ascends &&
                          value.size() <= kClusterSettingValueBytesMax;
    if (!is_right) return std::nullopt;
    restored.settings_.emplace_back(std::string(name), version, Payload(value));
  }
  if (!reader.AtEnd()) return std::nullopt;
  return restored;
}

}  // namespace cluster
}  // namespace kommander
