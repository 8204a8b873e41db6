#include "manager/configuration_place.hpp"

namespace kommander {
namespace {

constexpr std::size_t kShownBytesMax = 64;

}  // namespace

std::string ShownInProblem(const nlohmann::json& value) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  const std::string text =
      value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);  // all of it printable
  if (text.size() <= kShownBytesMax) return text;
  return text.substr(0, kShownBytesMax) + (value.is_string() ? "...\"" : "...");
}

bool ReadNumber(const nlohmann::json& value, const ConfigurationPlace& place, std::uint64_t most,
                std::uint64_t& number, std::string_view unit) {
  if (!value.is_number_integer()) {
    return place.Refuse(value, "a whole number" + std::string(unit));
  }
  if (!value.is_number_unsigned()) return place.Refuse(value, "0 or more");
  number = value.get<std::uint64_t>();
  return number <= most || place.Refuse(value, "at most " + std::to_string(most));
}

}  // namespace kommander
