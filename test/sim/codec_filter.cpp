// One message, one frame.
#include "codec_filter.hpp"

#include <cstring>
#include <utility>
#include <vector>

#include "codec/messages.hpp"

namespace kommander::sim {

bool PassThroughCodec(Message& message) {
  codec::FrameEncoder encoder;
  if (!encoder.Add(message)) return false;
  encoder.Finish();
  codec::FrameReader reader(4096, std::size_t{32} << 20);
  codec::Frame frame;
  auto result = codec::FrameReader::Result::kNeedMore;
  for (ByteSpan part : encoder.parts()) {
    while (!part.empty()) {
      const std::span<std::byte> room = reader.Prepare();
      const std::size_t count = std::min(room.size(), part.size());
      std::memcpy(room.data(), part.data(), count);
      reader.Commit(count);
      part = part.subspan(count);
      if (result == codec::FrameReader::Result::kNeedMore) result = reader.Next(frame);
    }
  }
  if (result != codec::FrameReader::Result::kFrame) return false;
  std::vector<Message> decoded;
  const codec::Route route{message.from, message.to};
  const auto error =
      codec::DecodeMessages(frame.header.kind, frame.payload, route, *frame.buffer, decoded);
  if (error != codec::FrameError::kNone || decoded.size() != 1) return false;
  if (!(decoded.front() == message)) return false;
  message = std::move(decoded.front());
  return true;
}

}  // namespace kommander::sim
