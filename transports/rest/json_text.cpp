#include "rest/json_text.hpp"

#include <cstddef>
#include <cstdint>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value_stack.hpp>

namespace kommander::rest {

namespace json = boost::json;

namespace {

constexpr std::size_t kDepthMax = 32;

// Of what nodes say to each other no value takes fewer letters, names and signs around it counted;
// in memory one takes several times that.
constexpr std::size_t kLettersPerValue = 6;
constexpr std::size_t kValuesFree = 64;

// Builds the value, and counts the members that the text names: an object keeps one of each name,
// so fewer of them in the value mean that a name came twice.
struct Handler {
  static constexpr std::size_t max_object_size = std::size_t{1} << 24;
  static constexpr std::size_t max_array_size = std::size_t{1} << 24;
  static constexpr std::size_t max_key_size = 64;
  static constexpr std::size_t max_string_size = std::size_t{1} << 25;

  Handler(std::size_t values_at_most, json::monotonic_resource& result_memory)
      : memory(result_memory), values_left(values_at_most) {}

  json::value_stack stack;
  json::monotonic_resource& memory;
  std::size_t members = 0;
  std::size_t values_left;

  bool Count(json::error_code& error) {
    if (values_left == 0) {
      error = make_error_code(boost::system::errc::value_too_large);
      return false;
    }
    --values_left;
    return true;
  }

  bool on_document_begin(json::error_code&) {
    stack.reset(&memory);
    return true;
  }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t count, json::error_code& error) {
    members += count;
    stack.push_object(count);
    return Count(error);
  }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t count, json::error_code& error) {
    stack.push_array(count);
    return Count(error);
  }
  bool on_key_part(json::string_view text, std::size_t, json::error_code&) {
    stack.push_chars(text);
    return true;
  }
  bool on_key(json::string_view text, std::size_t, json::error_code&) {
    stack.push_key(text);
    return true;
  }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
    stack.push_chars(text);
    return true;
  }
  bool on_string(json::string_view text, std::size_t, json::error_code& error) {
    stack.push_string(text);
    return Count(error);
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  // Nothing here has a sign, -0 neither.
  bool on_int64(std::int64_t number, json::string_view text, json::error_code& error) {
    if (text.front() == '-') {
      error = make_error_code(boost::system::errc::result_out_of_range);
      return false;
    }
    stack.push_int64(number);
    return Count(error);
  }
  bool on_uint64(std::uint64_t number, json::string_view, json::error_code& error) {
    stack.push_uint64(number);
    return Count(error);
  }
  bool on_double(double number, json::string_view, json::error_code& error) {
    stack.push_double(number);
    return Count(error);
  }
  bool on_bool(bool is_true, json::error_code& error) {
    stack.push_bool(is_true);
    return Count(error);
  }
  bool on_null(json::error_code& error) {
    stack.push_null();
    return Count(error);
  }
  bool on_comment_part(json::string_view, json::error_code&) { return false; }
  bool on_comment(json::string_view, json::error_code&) { return false; }
};

// No deeper than the parser went.
std::size_t CountMembers(const json::value& value) {
  std::size_t count = 0;
  if (const auto* const array = value.if_array()) {
    for (const json::value& item : *array) count += CountMembers(item);
  } else if (const auto* const object = value.if_object()) {
    count = object->size();
    for (const auto& member : *object) count += CountMembers(member.value());
  }
  return count;
}

}  // namespace

std::optional<Document> ParseStrictly(std::string_view text) {
  json::parse_options options;
  options.max_depth = kDepthMax;
  auto memory = std::make_unique<json::monotonic_resource>();
  json::basic_parser<Handler> parser(options, text.size() / kLettersPerValue + kValuesFree,
                                     *memory);
  json::error_code error;
  const std::size_t count = parser.write_some(false, text.data(), text.size(), error);
  if (error || count != text.size()) return std::nullopt;
  json::value value = parser.handler().stack.release();
  if (CountMembers(value) != parser.handler().members) return std::nullopt;
  return Document{std::move(memory), std::move(value)};
}

}  // namespace kommander::rest
