// The durable logs that the crash matrix runs over.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <kommander/wal.hpp>

namespace kommander::crash {

struct Backend {
  std::string name;
  // A log in this directory, not yet open, tuned so that a small script meets all that it does.
  std::function<std::shared_ptr<Wal>(const std::string& directory)> make;
};

[[nodiscard]] std::vector<Backend> Backends();

}  // namespace kommander::crash
