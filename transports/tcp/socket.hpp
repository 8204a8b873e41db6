// The socket types of the transport, and the list of buffers that one system call writes.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/payload.hpp>

namespace kommander::tcp {

using Strand = boost::asio::strand<boost::asio::any_io_executor>;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Strand>;

// How far a gathered write has come. Asio passes at most 64 buffers to one system call.
class Gather {
 public:
  static constexpr std::size_t kWindow = 64;

  void Assign(std::span<const ByteSpan> parts) noexcept {
    parts_ = parts;
    skipped_ = 0;
  }
  [[nodiscard]] bool Done() const noexcept { return parts_.empty(); }
  // The next buffers; valid until the next call.
  [[nodiscard]] std::span<const boost::asio::const_buffer> Window() noexcept {
    const std::size_t count = std::min(parts_.size(), kWindow);
    for (std::size_t i = 0; i < count; ++i) {
      window_[i] = boost::asio::const_buffer(parts_[i].data(), parts_[i].size());
    }
    if (count != 0) window_[0] += skipped_;
    return {window_.data(), count};
  }
  void Consume(std::size_t written) noexcept {
    skipped_ += written;
    while (!parts_.empty() && skipped_ >= parts_.front().size()) {
      skipped_ -= parts_.front().size();
      parts_ = parts_.subspan(1);
    }
  }

 private:
  std::span<const ByteSpan> parts_;
  std::size_t skipped_ = 0;  // of the first part
  std::array<boost::asio::const_buffer, kWindow> window_;
};

}  // namespace kommander::tcp
