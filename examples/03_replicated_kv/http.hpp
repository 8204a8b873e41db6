// The HTTP vocabulary that the server, the routes and the forwarding client share.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

namespace kv {

namespace http = boost::beast::http;

using Request = http::request<http::string_body>;
using RequestPointer = std::shared_ptr<const Request>;  // coroutines share it, nobody copies it
using Response = http::response<http::string_body>;

// On a request that another node has passed on; it is not passed on again.
inline constexpr std::string_view kForwardedHeader = "X-Kommander-Forwarded";

inline constexpr std::size_t kKeyBytesMax = 512;
inline constexpr std::size_t kValueBytesMax = 1u << 20;
// Two values as JSON, every byte of them escaped: the largest body that can be in order.
inline constexpr std::size_t kBodyBytesMax = 2 * 6 * kValueBytesMax + 1024;

enum class Outcome { kNone, kNotApplied, kUnknown };

[[nodiscard]] Response MakeResponse(http::status status, std::string_view content_type,
                                    std::string body);
// {"error":text}, for the failure of a write or a read with its "outcome".
[[nodiscard]] Response MakeError(http::status status, std::string_view text,
                                 Outcome outcome = Outcome::kNone);
// 503: it certainly had no effect. 504: nobody knows.
[[nodiscard]] Response NotApplied(std::string_view text);
[[nodiscard]] Response Unknown(std::string_view text);

}  // namespace kv
