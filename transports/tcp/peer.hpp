// The dialling side of one peer: connects, greets, writes what the queue holds, and begins again
// when the connection is lost. Lives as long as the peer is known; everything but Send happens on
// its strand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kommander/transport.hpp>

#include "codec/frame_reader.hpp"
#include "codec/messages.hpp"
#include "common/back_off.hpp"
#include "common/names.hpp"
#include "common/send_queue.hpp"
#include "common/timer.hpp"
#include "tcp/service.hpp"
#include "tcp/socket.hpp"

namespace kommander::tcp {

class Peer final : public std::enable_shared_from_this<Peer> {
 public:
  Peer(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
       boost::asio::any_io_executor executor, NodeId id);
  ~Peer();

  // Thread-safe.
  void Send(Message message);
  void PostEndpoint(Endpoint endpoint);
  void PostClose();

 private:
  static constexpr int kTicksPerIdle = 3;
  // One attempt to have a connection. Handlers keep it; those of an attempt that was given up find
  // that it is not the current one.
  struct Wire {
    explicit Wire(const Strand& strand) : socket(strand), reader(codec::kHandshakeBytesMax) {}
    Socket socket;
    bool awaits_names = false;
    Names::Addresses addresses;  // where the peer may be, the first to be tried first
    std::size_t tried = 0;       // of these
    codec::FrameReader reader;
    codec::FrameEncoder encoder{codec::kNoVersion};  // until the answer
    std::vector<Message> messages;                   // being written
    Gather gather;
    Hello local;
    bool answered = false;  // its hello-ack arrived
    bool open = false;      // both have judged
    bool writing = false;
    bool ping_wanted = false;
    bool ping_in_write = false;
    bool ping_unanswered = false;
    bool progress = false;  // bytes left since the last tick
    int silent_ticks = 0;
  };
  using WirePtr = std::shared_ptr<Wire>;

  void SetEndpoint(Endpoint endpoint);
  void Close();
  void Attempt();
  void LookUp(const WirePtr& wire);
  void OnNames(const std::string& host, error_code error, Names::Addresses addresses);
  void Connect(const WirePtr& wire);
  void OnConnected(const WirePtr& wire, error_code error);
  void OnAnswer(const WirePtr& wire, ByteSpan payload);
  void OnJudged(const WirePtr& wire, error_code verdict);
  void Read(const WirePtr& wire);
  void OnRead(const WirePtr& wire, error_code error, std::size_t count);
  void OnFrame(const WirePtr& wire, const codec::Frame& frame);
  void Flush();
  void StartWrite(const WirePtr& wire);
  void Write(const WirePtr& wire);
  void OnWritten(const WirePtr& wire, error_code error, std::size_t count);
  void OnTick();
  void OnDeadline();
  void Abandon();
  void Lose(const WirePtr& wire, error_code reason);
  void LoseMalformed(const WirePtr& wire, codec::FrameError error);
  void ArmTick();

  const std::shared_ptr<Life> life_;  // first: ends last
  const std::shared_ptr<Service> service_;
  const NodeId id_;
  Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  transports::SendQueue queue_;

  Endpoint endpoint_;
  bool looking_up_ = false;      // a question is with the resolver
  std::size_t passed_over_ = 0;  // addresses of the name that the next attempt tries last
  transports::BackOff pauses_;
  transports::Timer<Peer> timer_;
  WirePtr wire_;
  bool reported_ = false;  // the host knows that the peer is away
  bool closed_ = false;
};

}  // namespace kommander::tcp
