// One description of what a message has, for both directions: a writer and a reader are given the
// names and places of the same fields. The writer makes text; the reader takes the fields of one
// JSON object, each exactly once, and believes no number, length or letter before it is checked.
#pragma once

#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/time.hpp>

#include "rest/base64.hpp"

namespace kommander::rest {

// What a field may be: a number, a strong number, a bool, bytes (base64), an enumeration with its
// greatest value, a list of objects.
template <class Value>
concept StrongNumber = requires(const Value& value) {
  { value.value() } -> std::unsigned_integral;
};

class FieldWriter {
 public:
  static constexpr bool kReads = false;
  explicit FieldWriter(std::string& text) : text_(text) { text_ += '{'; }
  void End() { text_ += '}'; }

  template <class Value>
  void operator()(std::string_view name, const Value& value) {
    Name(name);
    if constexpr (std::is_same_v<Value, bool>) {
      text_ += value ? "true" : "false";
    } else if constexpr (StrongNumber<Value>) {
      Number(value.value());
    } else {
      static_assert(std::is_unsigned_v<Value>);
      Number(value);
    }
  }
  void operator()(std::string_view name, const Payload& bytes) {
    Name(name);
    text_ += '"';
    AppendBase64(bytes.bytes(), text_);
    text_ += '"';
  }
  template <std::size_t Size>
  void operator()(std::string_view name, const std::array<std::byte, Size>& bytes) {
    Name(name);
    text_ += '"';
    AppendBase64(bytes, text_);
    text_ += '"';
  }
  // Plain text of visible ASCII characters that need no escape.
  void Word(std::string_view name, std::string_view word) {
    Name(name);
    text_ += '"';
    text_ += word;
    text_ += '"';
  }
  template <class Enumeration>
  void Number(std::string_view name, const Enumeration& value, Enumeration) {
    (*this)(name, static_cast<std::uint32_t>(value));
  }
  void Stamp(std::string_view name, const HlcTimestamp& stamp, bool with_node) {
    Name(name);
    FieldWriter inside(text_);
    if (with_node) inside("n", stamp.node());
    inside("l", stamp.physical_ms());
    inside("c", stamp.counter());
    inside.End();
  }
  template <class Describe>
  void Object(std::string_view name, Describe describe) {
    Name(name);
    FieldWriter inside(text_);
    describe(inside);
    inside.End();
  }
  template <class Item, class Describe>
  void List(std::string_view name, const std::vector<Item>& items, Describe describe) {
    Name(name);
    text_ += '[';
    for (const Item& item : items) {
      if (&item != items.data()) text_ += ',';
      FieldWriter inside(text_);
      describe(inside, item);
      inside.End();
    }
    text_ += ']';
  }

 private:
  void Name(std::string_view name) {
    text_ += is_first_ ? "\"" : ",\"";
    text_ += name;
    text_ += "\":";
    is_first_ = false;
  }
  void Number(std::uint64_t value) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    text_.append(digits.data(), end);
  }
  std::string& text_;
  bool is_first_ = true;
};

class FieldReader {
 public:
  static constexpr bool kReads = true;
  explicit FieldReader(const boost::json::value& value) : object_(value.if_object()) {
    is_good_ = object_ != nullptr;
  }
  // Whether all that was asked for was there and as it is to be, and nothing else.
  [[nodiscard]] bool End() const noexcept { return is_good_ && taken_ == object_->size(); }
  void Fail() noexcept { is_good_ = false; }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }

  template <class Value>
  void operator()(std::string_view name, Value& value) {
    if constexpr (std::is_same_v<Value, bool>) {
      const auto* const found = Take(name);
      const bool* const is = found == nullptr ? nullptr : found->if_bool();
      if (is == nullptr) return Fail();
      value = *is;
    } else if constexpr (StrongNumber<Value>) {
      using Inside = std::decay_t<decltype(value.value())>;
      value = Value(static_cast<Inside>(Number(name, std::numeric_limits<Inside>::max())));
    } else {
      static_assert(std::is_unsigned_v<Value>);
      value = static_cast<Value>(Number(name, std::numeric_limits<Value>::max()));
    }
  }
  void operator()(std::string_view name, Payload& bytes) {
    std::vector<std::byte> decoded;
    if (!DecodeBase64(Text(name), decoded)) return Fail();
    bytes = Payload(std::move(decoded));
  }
  template <std::size_t Size>
  void operator()(std::string_view name, std::array<std::byte, Size>& bytes) {
    std::vector<std::byte> decoded;
    if (!DecodeBase64(Text(name), decoded) || decoded.size() != Size) return Fail();
    std::copy(decoded.begin(), decoded.end(), bytes.begin());
  }
  void Word(std::string_view name, std::string_view& word) { word = Text(name); }
  template <class Enumeration>
  void Number(std::string_view name, Enumeration& value, Enumeration last) {
    value = static_cast<Enumeration>(Number(name, static_cast<std::uint64_t>(last)));
  }
  void Stamp(std::string_view name, HlcTimestamp& stamp, bool with_node) {
    const auto* const found = Take(name);
    if (found == nullptr) return Fail();
    FieldReader inside(*found);
    NodeId node = stamp.node();
    std::uint64_t physical = 0;
    std::uint32_t counter = 0;
    if (with_node) inside("n", node);
    inside("l", physical);
    inside("c", counter);
    stamp = HlcTimestamp(physical, counter, node);
    if (!inside.End() || !stamp.FitsWord()) Fail();
  }
  template <class Describe>
  void Object(std::string_view name, Describe describe) {
    const auto* const found = Take(name);
    if (found == nullptr) return Fail();
    FieldReader inside(*found);
    describe(inside);
    if (!inside.End()) Fail();
  }
  template <class Item, class Describe>
  void List(std::string_view name, std::vector<Item>& items, Describe describe) {
    const auto* const found = Take(name);
    const auto* const array = found == nullptr ? nullptr : found->if_array();
    if (array == nullptr) return Fail();
    // One by one: an item takes more here than in the text, and the first bad one is the last.
    for (const boost::json::value& value : *array) {
      FieldReader inside(value);
      describe(inside, items.emplace_back());
      if (!inside.End()) return Fail();
    }
  }

 private:
  const boost::json::value* Take(std::string_view name) noexcept {
    const auto* const found = is_good_ ? object_->if_contains({name.data(), name.size()}) : nullptr;
    ++taken_;
    return found;
  }
  // Whole numbers from 0 on, and no other spelling of them: 1.0 and 1e3 are none.
  std::uint64_t Number(std::string_view name, std::uint64_t most) noexcept {
    const auto* const found = Take(name);
    const std::uint64_t* const large = found == nullptr ? nullptr : found->if_uint64();
    const std::int64_t* const small = found == nullptr ? nullptr : found->if_int64();
    const bool is_number = large != nullptr || (small != nullptr && *small >= 0);
    std::uint64_t number = 0;
    if (large != nullptr) number = *large;
    if (small != nullptr && is_number) number = static_cast<std::uint64_t>(*small);
    if (!is_number || number > most) Fail();
    return is_good_ ? number : 0;
  }
  std::string_view Text(std::string_view name) noexcept {
    const auto* const found = Take(name);
    const auto* const text = found == nullptr ? nullptr : found->if_string();
    if (text == nullptr) {
      Fail();
      return {};
    }
    return {text->data(), text->size()};
  }
  const boost::json::object* object_;
  std::size_t taken_ = 0;
  bool is_good_ = false;
};

}  // namespace kommander::rest
