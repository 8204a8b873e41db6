// The receive buffer and its state: where bytes go, and when they are a frame.
#include "codec/frame_reader.hpp"

#include <algorithm>
#include <cstring>

#include "codec/crc32c.hpp"

namespace kommander::codec {

FrameReader::FrameReader(std::size_t chunk_bytes, std::size_t payload_bytes_max)
    : chunk_bytes_(std::max(chunk_bytes, kFrameHeaderBytes)),
      payload_bytes_max_(payload_bytes_max) {}

void FrameReader::Widen(std::size_t chunk_bytes, std::size_t payload_bytes_max) {
  chunk_bytes_ = std::max(chunk_bytes, chunk_bytes_);
  payload_bytes_max_ = payload_bytes_max;
}

// A chunk that is ours alone, with the bytes that no frame has taken at its front.
void FrameReader::RenewChunk(std::size_t bytes) {
  auto fresh = std::make_shared_for_overwrite<std::byte[]>(bytes);
  if (begin_ != end_) std::memcpy(fresh.get(), chunk_.owner.get() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  chunk_ = ReceiveBuffer{std::move(fresh), bytes, false};
}

std::span<std::byte> FrameReader::Prepare() {
  if (error_ != FrameError::kNone) return {};
  if (large_.owner && has_header_) {
    return {large_.owner.get() + large_filled_, large_.bytes - large_filled_};
  }
  if (!chunk_.owner || chunk_.shared || chunk_.bytes < chunk_bytes_) {
    RenewChunk(chunk_bytes_);
  } else if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ != 0 && chunk_.bytes - end_ < chunk_.bytes / 2) {
    // Moves each unfinished frame at most once, since it then begins at 0.
    std::memmove(chunk_.owner.get(), chunk_.owner.get() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  return {chunk_.owner.get() + end_, chunk_.bytes - end_};
}

void FrameReader::Commit(std::size_t count) noexcept {
  if (large_.owner && has_header_) {
    large_filled_ += count;
  } else {
    end_ += count;
  }
}

FrameReader::Result FrameReader::Refuse(FrameError error) noexcept {
  error_ = error;
  return Result::kRefused;
}

FrameReader::Result FrameReader::TakeHeader() {
  if (end_ - begin_ < kFrameHeaderBytes) return Result::kNeedMore;
  const std::span<const std::byte, kFrameHeaderBytes> bytes(chunk_.owner.get() + begin_,
                                                            kFrameHeaderBytes);
  const FrameError error = DecodeFrameHeader(bytes, header_);
  if (error != FrameError::kNone) return Refuse(error);
  if (header_.payload_bytes > payload_bytes_max_) return Refuse(FrameError::kOversize);
  if (header_.sequence != sequence_) return Refuse(FrameError::kOutOfOrder);
  ++sequence_;
  begin_ += kFrameHeaderBytes;
  has_header_ = true;
  return Result::kFrame;
}

void FrameReader::BeginLarge() {
  large_ = ReceiveBuffer{std::make_shared_for_overwrite<std::byte[]>(header_.payload_bytes),
                         header_.payload_bytes, false};
  large_filled_ = end_ - begin_;
  if (large_filled_ != 0) {
    std::memcpy(large_.owner.get(), chunk_.owner.get() + begin_, large_filled_);
  }
  begin_ = end_ = 0;
}

FrameReader::Result FrameReader::Next(Frame& frame) {
  if (error_ != FrameError::kNone) return Result::kRefused;
  // The large buffer of the frame that was handed out last has been used by now.
  if (!has_header_) {
    large_ = {};
    if (const Result result = TakeHeader(); result != Result::kFrame) return result;
  }
  const std::size_t wanted = header_.payload_bytes;
  frame.header = header_;
  if (!large_.owner && end_ - begin_ < wanted) {
    // The chunk as it stands now decides: a frame that fits it is completed there.
    if (wanted + kFrameHeaderBytes <= chunk_.bytes) return Result::kNeedMore;
    BeginLarge();
  }
  if (large_.owner) {
    if (large_filled_ < large_.bytes) return Result::kNeedMore;
    frame.payload = ByteSpan(large_.owner.get(), wanted);
    frame.buffer = &large_;
  } else {
    frame.payload = ByteSpan(chunk_.owner.get() + begin_, wanted);
    frame.buffer = &chunk_;
    begin_ += wanted;
  }
  has_header_ = false;
  if (Crc32c(frame.payload) != header_.payload_crc) return Refuse(FrameError::kCorrupt);
  return Result::kFrame;
}

}  // namespace kommander::codec
