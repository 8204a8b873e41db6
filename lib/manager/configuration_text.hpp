// JSON text as a value. Keeps what a value no longer shows: keys that were there twice; and refuses
// what is too long or too deep before it costs anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <kommander/configuration_file.hpp>

namespace kommander {

using Problems = std::vector<ConfigurationProblem>;

// The pointer to a member of what `parent` points to.
[[nodiscard]] std::string PointerTo(const std::string& parent, std::string_view key);

// Nothing: the text is no JSON, and `problems` says why.
[[nodiscard]] std::optional<nlohmann::json> ParseConfigurationText(std::string_view text,
                                                                   Problems& problems);

}  // namespace kommander
