// The other end of a connection, in the hands of a test: sends any bytes, reads frames, and waits
// for the end, none of it for longer than a bounded time.
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <kommander/discovery.hpp>

#include "catch.hpp"
#include "codec/crc32c.hpp"
#include "codec/frame_reader.hpp"
#include "codec/handshake.hpp"
#include "codec/messages.hpp"

namespace kommander::testing {

namespace asio = boost::asio;

// A frame with any header and any payload, checksums right unless the test spoils them.
inline std::string MakeFrame(codec::FrameKind kind, std::string_view payload,
                             std::uint64_t sequence, std::uint16_t flags = 0) {
  codec::FrameHeader header;
  header.kind = kind;
  header.flags = flags;
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.sequence = sequence;
  header.payload_crc = codec::Crc32c(AsBytes(payload));
  std::array<std::byte, codec::kFrameHeaderBytes> bytes;
  codec::EncodeFrameHeader(header, bytes);
  return std::string(AsText(bytes)) + std::string(payload);
}

inline std::string MakeHelloFrame(codec::FrameKind kind, const Hello& hello, NodeId to) {
  return MakeFrame(kind, codec::EncodeGreeting(codec::Greeting{hello, to}).text(), 0);
}

// One frame with these messages, numbered.
inline std::string MakeMessageFrame(const std::vector<Message>& messages, std::uint64_t sequence) {
  codec::FrameEncoder encoder;
  for (const auto& message : messages) REQUIRE(encoder.Add(message));
  encoder.Finish();
  REQUIRE(encoder.next_sequence() == 1);
  std::string bytes;
  for (const auto part : encoder.parts()) bytes += AsText(part);
  codec::FrameHeader header;
  const std::span<const std::byte, codec::kFrameHeaderBytes> start(AsBytes(bytes).data(),
                                                                   codec::kFrameHeaderBytes);
  REQUIRE(codec::DecodeFrameHeader(start, header) == codec::FrameError::kNone);
  return MakeFrame(header.kind, bytes.substr(codec::kFrameHeaderBytes), sequence);
}

class RawSocket {
 public:
  RawSocket() : socket_(context_) {}
  explicit RawSocket(const Endpoint& endpoint) : RawSocket() { Connect(endpoint); }

  void Open() { socket_.open(asio::ip::tcp::v4()); }
  void Connect(const Endpoint& endpoint) {
    socket_.connect({asio::ip::make_address(endpoint.host), endpoint.port});
    BoundWaits();
  }
  void BoundWaits() {
    const timeval limit{20, 0};
    REQUIRE(setsockopt(socket_.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ==
            0);
  }
  asio::ip::tcp::socket& socket() { return socket_; }

  // The other end may close while we write; that is its right.
  void Send(std::string_view bytes) {
    boost::system::error_code ignored;
    asio::write(socket_, asio::buffer(bytes.data(), bytes.size()), ignored);
  }
  void CloseSend() {
    boost::system::error_code ignored;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  }
  void Close() {
    boost::system::error_code ignored;
    socket_.close(ignored);
  }

  struct Received {
    codec::FrameHeader header;
    std::string payload;
  };
  // The next frame; none when the connection ended or nothing came in time.
  std::optional<Received> ReadFrame() {
    while (true) {
      codec::Frame frame;
      const auto result = reader_.Next(frame);
      if (result == codec::FrameReader::Result::kFrame) {
        return Received{frame.header, std::string(AsText(frame.payload))};
      }
      if (result == codec::FrameReader::Result::kRefused || !ReadSome()) return std::nullopt;
    }
  }
  // True when the other end has closed; false when it kept silent, or sent another frame.
  bool WaitForEnd() { return !ReadFrame() && ended_; }

 private:
  bool ReadSome() {
    const auto room = reader_.Prepare();
    // The plain call, which the receive time-out bounds.
    const auto count = ::recv(socket_.native_handle(), room.data(), room.size(), 0);
    if (count > 0) reader_.Commit(static_cast<std::size_t>(count));
    ended_ = count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    return count > 0;
  }
  asio::io_context context_;
  asio::ip::tcp::socket socket_;
  codec::FrameReader reader_{16u << 10, codec::kAppendsBytesMax};
  bool ended_ = false;
};

}  // namespace kommander::testing
