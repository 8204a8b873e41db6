// A place in a text where a problem may be found, and how one value is read there.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "manager/configuration_text.hpp"

namespace kommander {

// What stands there, short enough for a line.
[[nodiscard]] std::string ShownInProblem(const nlohmann::json& value);

struct ConfigurationPlace {
  std::string pointer;
  Problems* problems;

  [[nodiscard]] ConfigurationPlace At(std::string_view key) const {
    return {PointerTo(pointer, key), problems};
  }
  // Both answer false, for the caller to return.
  bool Refuse(std::string what) const {
    problems->emplace_back(pointer, std::move(what));
    return false;
  }
  bool Refuse(const nlohmann::json& value, std::string_view expected) const {
    return Refuse("is " + ShownInProblem(value) + ", must be " + std::string(expected));
  }
};

// False, and a problem told: it is no whole number from 0 to `most`.
[[nodiscard]] bool ReadNumber(const nlohmann::json& value, const ConfigurationPlace& place,
                              std::uint64_t most, std::uint64_t& number,
                              std::string_view unit = "");

}  // namespace kommander
