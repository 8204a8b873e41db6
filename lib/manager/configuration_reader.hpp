// Reads one object of keys and values, wherever it came from: a file or a command line.
#pragma once

#include <span>

#include <kommander/configuration_file.hpp>

#include "manager/configuration_text.hpp"

namespace kommander {

// Sets `configuration`, unless there is a problem; hands the application's own values to it.
void ReadConfigurationObject(const nlohmann::json& object, RaftConfiguration& configuration,
                             std::span<const ApplicationKey> own, Problems& problems);

}  // namespace kommander
