// The asking side of one peer: connects, greets, sends what the queue holds, one request at a time,
// and begins again when the connection is lost. Lives as long as the peer is known; everything but
// Send happens on its strand.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <kommander/transport.hpp>

#include "common/acceptor.hpp"
#include "common/back_off.hpp"
#include "common/send_queue.hpp"
#include "rest/json_messages.hpp"
#include "rest/response_reader.hpp"
#include "rest/transport_service.hpp"

namespace kommander::rest {

class Outbound final : public std::enable_shared_from_this<Outbound> {
 public:
  Outbound(std::shared_ptr<TransportService> service, std::shared_ptr<detail::Life> life,
           boost::asio::any_io_executor executor, NodeId id);
  ~Outbound();

  // Thread-safe.
  void Send(Message message);
  void PostEndpoint(Endpoint endpoint);
  // Ends it with a farewell, for which a request that is half sent is waited for a moment.
  void PostLeave();
  void PostClose();

 private:
  // An empty request after so much silence of the queue: a third of the idle time.
  static constexpr int kProbesPerIdle = 3;
  // One attempt to have a session. Handlers keep it; those of an attempt that was given up find
  // that it is not the current one.
  struct Wire {
    explicit Wire(const transports::Strand& strand) : socket(strand) {}
    transports::Socket socket;
    bool awaits_names = false;
    transports::Names::Addresses addresses;  // where the peer may be, the first to be tried first
    std::size_t tried = 0;                   // of these
    ResponseReader reader;
    BatchWriter writer;
    std::vector<Message> messages;  // of the request under way
    std::vector<Message> later;     // taken from the queue, and too much for that request
    std::string head;
    std::string body;  // of the hello
    Hello local;
    std::uint16_t version = codec::kNoVersion;  // of the protocol
    std::string session;
    std::uint64_t sequence = 0;
    bool is_open = false;     // both have judged
    bool is_asking = false;   // a request is under way
    bool is_reading = false;  // for its answer, or for the end
    bool has_sent = false;    // the whole request has left
  };
  using WirePtr = std::shared_ptr<Wire>;

  void SetEndpoint(Endpoint endpoint);
  void Leave();
  void Close();
  void Attempt();
  void LookUp(const WirePtr& wire);
  void OnNames(const std::string& host, error_code error, transports::Names::Addresses addresses);
  void Connect(const WirePtr& wire);
  void OnConnected(const WirePtr& wire, error_code error);
  void PutHead(Wire& wire, std::string_view path, const std::string& body) const;
  void Ask(const WirePtr& wire, std::string_view path, const std::string& body);
  void OnAsked(const WirePtr& wire, error_code error, std::size_t count);
  void Read(const WirePtr& wire);
  void OnRead(const WirePtr& wire, error_code error, std::size_t count);
  void OnAnswer(const WirePtr& wire);
  void OnGreeted(const WirePtr& wire);
  void OnRefused(const WirePtr& wire);
  void OnJudged(const WirePtr& wire, error_code verdict);
  void Flush();
  void SendBatch(const WirePtr& wire);
  void OnTimer();
  void Abandon();
  void SayFarewell(const WirePtr& wire, error_code reason);
  void Lose(const WirePtr& wire, error_code reason);
  void LoseMalformed(const WirePtr& wire);
  void Arm(Duration pause);

  const std::shared_ptr<detail::Life> life_;  // first: ends last
  const std::shared_ptr<TransportService> service_;
  const NodeId id_;
  transports::Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  transports::SendQueue queue_;

  Endpoint endpoint_;
  bool looking_up_ = false;      // a question is with the resolver
  std::size_t passed_over_ = 0;  // addresses of the name that the next attempt tries last
  transports::BackOff pauses_;
  transports::Timer<Outbound> timer_;
  WirePtr wire_;
  bool reported_ = false;  // the host knows that the peer is away
  bool is_leaving_ = false;
  bool closed_ = false;
};

}  // namespace kommander::rest
