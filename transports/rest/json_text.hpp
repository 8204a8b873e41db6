// Text that anybody may have sent, as a JSON value, more strictly than JSON asks for: UTF-8, no
// deeper than 32, no name twice in one object, no whole number with a sign.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/value.hpp>

namespace kommander::rest {

// All of its values lie in memory of its own, which is let go of at once.
struct Document {
  std::unique_ptr<boost::json::monotonic_resource> memory;  // first: ends last
  boost::json::value value;
};

// None: it is nothing like that.
[[nodiscard]] std::optional<Document> ParseStrictly(std::string_view text);

}  // namespace kommander::rest
