// One accepted connection: judges who is there, then reads its messages and hands them to the host,
// everything that one read brought at once. Everything happens on its strand.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <kommander/transport.hpp>

#include "codec/frame_reader.hpp"
#include "codec/handshake.hpp"
#include "codec/messages.hpp"
#include "common/timer.hpp"
#include "tcp/service.hpp"
#include "tcp/socket.hpp"

namespace kommander::tcp {

class Inbound final : public std::enable_shared_from_this<Inbound> {
 public:
  Inbound(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
          boost::asio::any_io_executor executor);
  ~Inbound();

  // For the accept, before Begin.
  [[nodiscard]] Socket& socket() noexcept { return socket_; }
  // Or this, before Begin: a connection that the application has accepted, and what it has read.
  [[nodiscard]] error_code TakeOver(boost::asio::ip::tcp::socket socket, ByteSpan bytes_read);
  // Thread-safe, each at most once.
  void PostBegin();
  void PostClose();

 private:
  enum class State {
    kGreeting,  // nothing but a hello is allowed
    kJudging,   // nothing is allowed; the host judges
    kOpen,
    kEnding,  // rejected; waits for the peer to read that and close
    kClosed,
  };
  void Begin();
  void Read();
  void OnRead(error_code error, std::size_t count);
  void Received(std::size_t count);
  void Parse();
  void WatchFrame();
  [[nodiscard]] codec::FrameError OnFrame(const codec::Frame& frame);
  [[nodiscard]] codec::FrameError OnHello(ByteSpan payload);
  [[nodiscard]] codec::FrameError OnReject(ByteSpan payload);
  void OnJudged(error_code verdict);
  void Reject(error_code reason);
  void Deliver();
  void Write();
  void OnTick();
  void OnDeadline();
  void Close(error_code reason);

  const std::shared_ptr<Life> life_;  // first: ends last
  const std::shared_ptr<Service> service_;
  const Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  Socket socket_;
  transports::Timer<Inbound> timer_;
  State state_ = State::kGreeting;

  codec::FrameReader reader_;
  std::size_t early_bytes_ = 0;  // in it before the first read
  codec::Greeting greeting_;
  codec::Route route_;  // of the messages, once open
  std::vector<Message> batch_;
  bool heard_ = false;               // since the last tick
  std::uint64_t frame_ = 0;          // that frame_deadline_ is for, by its number
  Instant frame_deadline_ = kNever;  // of the frame that has begun

  codec::FrameEncoder encoder_{codec::kNoVersion};  // it says no messages
  Gather gather_;
  bool writing_ = false;
  bool pong_wanted_ = false;
};

}  // namespace kommander::tcp
