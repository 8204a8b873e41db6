// Bytes as a connection would carry them, and what a receiver makes of them.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "codec/frame_reader.hpp"
#include "codec/messages.hpp"

namespace kommander::codec::testing {

inline constexpr Route kRoute{NodeId(7), NodeId(9)};

inline std::string Bytes(const FrameEncoder& encoder) {
  std::string bytes;
  for (const auto part : encoder.parts()) bytes += AsText(part);
  return bytes;
}

inline std::string Encode(const std::vector<Message>& messages) {
  FrameEncoder encoder;
  for (const auto& message : messages) {
    if (!encoder.Add(message)) return "message over its cap";
  }
  encoder.Finish();
  return Bytes(encoder);
}

// Everything that a reader makes of `bytes`, arriving in pieces of `step`.
struct Received {
  std::vector<Message> messages;
  std::vector<FrameKind> kinds;
  FrameError error = FrameError::kNone;
};
inline Received Receive(std::string_view bytes, std::size_t step, std::size_t chunk = 1024,
                        std::size_t limit = kAppendsBytesMax) {
  Received received;
  FrameReader reader(chunk, limit);
  while (received.error == FrameError::kNone) {
    Frame frame;
    const auto result = reader.Next(frame);
    if (result == FrameReader::Result::kRefused) {
      received.error = reader.error();
    } else if (result == FrameReader::Result::kFrame) {
      received.kinds.push_back(frame.header.kind);
      if (CarriesMessages(frame.header.kind)) {
        received.error = DecodeMessages(frame.header.kind, frame.payload, kRoute, *frame.buffer,
                                        received.messages);
      }
    } else if (bytes.empty()) {
      if (reader.InsideFrame()) received.error = FrameError::kTruncated;
      break;
    } else {
      const auto room = reader.Prepare();
      const std::size_t count = std::min({room.size(), bytes.size(), step});
      std::memcpy(room.data(), bytes.data(), count);
      reader.Commit(count);
      bytes.remove_prefix(count);
    }
  }
  return received;
}

}  // namespace kommander::codec::testing
