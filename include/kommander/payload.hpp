// Immutable, reference-counted bytes. Copies share; nothing can change what was handed over, so one
// buffer serves the caller, the log, every peer's connection and the state machine.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kommander {

// Bytes of somebody else, for the length of a call.
using ByteSpan = std::span<const std::byte>;

// Views text as bytes, without a copy.
[[nodiscard]] inline ByteSpan AsBytes(std::string_view text) noexcept {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}
// Views bytes as text, without a copy and without judging its encoding.
[[nodiscard]] inline std::string_view AsText(ByteSpan bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Thread-safe to copy and to read from several threads; one object is not to be assigned to by two.
class Payload {
 public:
  Payload() noexcept = default;
  // Copies the text once.
  Payload(std::string_view text) : Payload(AsBytes(text)) {}      // NOLINT: by intent
  Payload(const std::string& text) : Payload(AsBytes(text)) {}    // NOLINT: by intent
  Payload(const char* text) : Payload(std::string_view(text)) {}  // NOLINT: by intent
  // Copies the bytes once.
  Payload(ByteSpan bytes) {  // NOLINT: by intent
    if (bytes.empty()) return;
    auto buffer = std::make_shared_for_overwrite<std::byte[]>(bytes.size());
    std::memcpy(buffer.get(), bytes.data(), bytes.size());
    data_ = buffer.get();
    size_ = bytes.size();
    owner_ = std::move(buffer);
  }
  // Takes the vector over, without copying its bytes.
  Payload(std::vector<std::byte>&& bytes) {  // NOLINT: by intent
    if (bytes.empty()) return;
    auto buffer = std::make_shared<const std::vector<std::byte>>(std::move(bytes));
    data_ = buffer->data();
    size_ = buffer->size();
    owner_ = std::move(buffer);
  }
  // Shares bytes that `owner` keeps alive and unchanged.
  Payload(std::shared_ptr<const void> owner, ByteSpan bytes) noexcept
      : owner_(std::move(owner)), data_(bytes.data()), size_(bytes.size()) {}

  [[nodiscard]] const std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] ByteSpan bytes() const noexcept { return {data_, size_}; }
  [[nodiscard]] std::string_view text() const noexcept { return AsText(bytes()); }
  // A part of these bytes that shares their ownership. `offset` and `count` must lie inside.
  [[nodiscard]] Payload Slice(std::size_t offset, std::size_t count) const noexcept {
    return {owner_, bytes().subspan(offset, count)};
  }
  friend bool operator==(const Payload& a, const Payload& b) noexcept {
    return a.text() == b.text();
  }

 private:
  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace kommander
