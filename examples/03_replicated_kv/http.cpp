#include "http.hpp"

#include <utility>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace kv {

Response MakeResponse(http::status status, std::string_view content_type, std::string body) {
  Response response(status, 11);
  response.set(http::field::content_type, content_type);
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

Response MakeError(http::status status, std::string_view text, Outcome outcome) {
  boost::json::object body{{"error", text}};
  if (outcome == Outcome::kNotApplied) body["outcome"] = "not_applied";
  if (outcome == Outcome::kUnknown) body["outcome"] = "unknown";
  return MakeResponse(status, "application/json", boost::json::serialize(body));
}

Response NotApplied(std::string_view text) {
  return MakeError(http::status::service_unavailable, text, Outcome::kNotApplied);
}

Response Unknown(std::string_view text) {
  return MakeError(http::status::gateway_timeout, text, Outcome::kUnknown);
}

}  // namespace kv
