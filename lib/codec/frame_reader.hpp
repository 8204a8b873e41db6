// Cuts a stream of bytes into frames, without I/O: the transport asks where the next bytes go, says
// how many came, and takes the whole frames. Owned by one connection, used on its strand.
//
// Small frames are parsed where they lie in one chunk that is used again and again; a frame that
// does not fit the chunk is received into a buffer of exactly its size, allocated after its header
// was judged.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include <kommander/payload.hpp>

#include "codec/frame.hpp"

namespace kommander::codec {

// The memory that a payload lies in. Whoever keeps a share of it says so, and the reader will not
// write there again.
struct ReceiveBuffer {
  std::shared_ptr<std::byte[]> owner;
  std::size_t bytes = 0;
  bool shared = false;
};

struct Frame {
  FrameHeader header;
  ByteSpan payload;                 // valid until the next call of the reader
  ReceiveBuffer* buffer = nullptr;  // where the payload lies
};

class FrameReader {
 public:
  enum class Result : std::uint8_t { kFrame, kNeedMore, kRefused };

  // `chunk_bytes` are allocated when the first bytes are asked for.
  explicit FrameReader(std::size_t chunk_bytes, std::size_t payload_bytes_max = kHandshakeBytesMax);

  // After the handshake: larger payloads, and a larger chunk for what comes next.
  void Widen(std::size_t chunk_bytes, std::size_t payload_bytes_max);

  // Where the next bytes of the stream go; never empty before a refusal.
  [[nodiscard]] std::span<std::byte> Prepare();
  void Commit(std::size_t count) noexcept;

  // The next whole frame. Refused is final; error() says why.
  [[nodiscard]] Result Next(Frame& frame);
  [[nodiscard]] FrameError error() const noexcept { return error_; }
  // How many whole frames were handed out.
  [[nodiscard]] std::uint64_t frames() const noexcept { return sequence_ - (has_header_ ? 1 : 0); }
  // Bytes of an unfinished frame were received: an end of the stream now truncates it.
  [[nodiscard]] bool InsideFrame() const noexcept { return has_header_ || begin_ != end_; }

 private:
  [[nodiscard]] Result Refuse(FrameError error) noexcept;
  [[nodiscard]] Result TakeHeader();
  void BeginLarge();
  void RenewChunk(std::size_t bytes);

  std::size_t chunk_bytes_;
  std::size_t payload_bytes_max_;
  ReceiveBuffer chunk_;
  std::size_t begin_ = 0;  // of the bytes in the chunk that no frame has taken yet
  std::size_t end_ = 0;
  ReceiveBuffer large_;  // the payload of a frame that does not fit the chunk
  std::size_t large_filled_ = 0;
  FrameHeader header_;
  bool has_header_ = false;  // header_ was taken, its payload not
  std::uint64_t sequence_ = 0;
  FrameError error_ = FrameError::kNone;
};

}  // namespace kommander::codec
