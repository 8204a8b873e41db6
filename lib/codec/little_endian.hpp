// Fixed-width little-endian numbers in byte buffers, for everything that this library puts on the
// wire or on a disk. The reader never goes past its end: it remembers that it was asked to.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include <kommander/payload.hpp>

namespace kommander::codec {

template <std::unsigned_integral T>
[[nodiscard]] constexpr T ToLittle(T value) noexcept {
  if constexpr (std::endian::native == std::endian::little || sizeof(T) == 1) {
    return value;
  } else {
    T swapped = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i, value = static_cast<T>(value >> 8)) {
      swapped = static_cast<T>((swapped << 8) | (value & 0xff));
    }
    return swapped;
  }
}

template <std::unsigned_integral T>
inline void Store(std::byte* out, T value) noexcept {
  value = ToLittle(value);
  std::memcpy(out, &value, sizeof(value));
}
template <std::unsigned_integral T>
[[nodiscard]] inline T Load(const std::byte* in) noexcept {
  T value;
  std::memcpy(&value, in, sizeof(value));
  return ToLittle(value);
}

// Writes into memory that the caller has measured beforehand.
class ByteWriter {
 public:
  explicit ByteWriter(std::byte* out) noexcept : out_(out) {}
  template <std::unsigned_integral T>
  void Put(T value) noexcept {
    Store(out_, value);
    out_ += sizeof(T);
  }
  void PutBytes(ByteSpan bytes) noexcept {
    if (!bytes.empty()) std::memcpy(out_, bytes.data(), bytes.size());
    out_ += bytes.size();
  }
  [[nodiscard]] std::byte* position() const noexcept { return out_; }

 private:
  std::byte* out_;
};

// Reads what others wrote. Past the end every number is 0, every span empty, and ok() false.
class ByteReader {
 public:
  explicit ByteReader(ByteSpan bytes) noexcept : bytes_(bytes) {}
  template <std::unsigned_integral T>
  [[nodiscard]] T Get() noexcept {
    if (!Has(sizeof(T))) return 0;
    const T value = Load<T>(bytes_.data() + offset_);
    offset_ += sizeof(T);
    return value;
  }
  [[nodiscard]] ByteSpan GetBytes(std::size_t count) noexcept {
    if (!Has(count)) return {};
    const ByteSpan bytes = bytes_.subspan(offset_, count);
    offset_ += count;
    return bytes;
  }
  // For values that the format does not allow.
  void Fail() noexcept { ok_ = false; }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] std::size_t remaining() const noexcept { return bytes_.size() - offset_; }
  // Everything was read, and it was all there.
  [[nodiscard]] bool AtEnd() const noexcept { return ok_ && remaining() == 0; }

 private:
  [[nodiscard]] bool Has(std::size_t count) noexcept {
    if (ok_ && count > remaining()) ok_ = false;
    return ok_;
  }
  ByteSpan bytes_;
  std::size_t offset_ = 0;
  bool ok_ = true;
};

}  // namespace kommander::codec
