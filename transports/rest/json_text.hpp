// Text that anybody may have sent, as a JSON value, more strictly than JSON asks for: UTF-8, no
// deeper than 32, and no name twice in one object.
#pragma once

#include <optional>
#include <string_view>

#include <boost/json/value.hpp>

namespace kommander::rest {

// None: it is nothing like that.
[[nodiscard]] std::optional<boost::json::value> ParseStrictly(std::string_view text);

}  // namespace kommander::rest
