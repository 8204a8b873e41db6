// Copies many small bodies into few buffers: one allocation per 64 KiB read, not per entry.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>

#include <kommander/payload.hpp>

namespace kommander::storage {

// An entry that outlives its neighbours keeps at most one such buffer alive.
class BodyArena {
 public:
  [[nodiscard]] Payload Copy(ByteSpan bytes) {
    if (bytes.empty()) return {};
    if (bytes.size() > kBufferBytes / 4) return Payload(bytes);
    if (bytes.size() > left_) {
      buffer_ = std::make_shared_for_overwrite<std::byte[]>(next_bytes_);
      at_ = buffer_.get();
      left_ = next_bytes_;
      next_bytes_ = std::min(kBufferBytes, next_bytes_ * 2);
    }
    std::memcpy(at_, bytes.data(), bytes.size());
    Payload body(buffer_, {at_, bytes.size()});
    at_ += bytes.size();
    left_ -= bytes.size();
    return body;
  }

 private:
  static constexpr std::size_t kBufferBytes = 64 << 10;
  std::shared_ptr<std::byte[]> buffer_;
  std::byte* at_ = nullptr;
  std::size_t left_ = 0;
  std::size_t next_bytes_ = kBufferBytes / 4;
};

}  // namespace kommander::storage
