// The keys of a configuration, in the order of the page that lists them.
#pragma once

#include <span>
#include <string_view>

#include <kommander/configuration_file.hpp>

#include "manager/configuration_place.hpp"

namespace kommander {

// What is known of a key without reading it.
struct KeyText {
  std::string_view name;
  std::string_view field;  // as RaftConfiguration::Validate() calls it
  ConfigurationKey::Kind kind;
  std::string_view unit;
  std::string_view default_text;
  std::string_view range;
  std::string_view what;
};

struct ConfigurationRow : KeyText {
  // False, and a problem told: the value is not what the key takes.
  bool (*set)(const nlohmann::json& value, const ConfigurationPlace& place,
              RaftConfiguration& configuration);
};

[[nodiscard]] std::span<const ConfigurationRow> ConfigurationRows();

}  // namespace kommander
