// One client: its requests, one after the other, each phase of them with a deadline that nothing
// puts off. Everything happens on its strand.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <boost/asio/buffer.hpp>

#include <kommander/raft_routes.hpp>

#include "common/acceptor.hpp"
#include "rest/request_reader.hpp"
#include "rest/service.hpp"

namespace kommander::rest {

class Connection final : public std::enable_shared_from_this<Connection> {
 public:
  // Who gives way to newer connections: first those that never said anything sensible.
  enum class Stage : std::uint8_t { kSilent, kIdle, kBusy };

  Connection(std::shared_ptr<Service> service, std::shared_ptr<Life> life,
             boost::asio::any_io_executor executor);
  ~Connection();

  // For the accept, before Begin.
  [[nodiscard]] transports::Socket& socket() noexcept { return socket_; }
  [[nodiscard]] Stage stage() const noexcept { return stage_.load(std::memory_order_relaxed); }
  // Thread-safe, each at most once.
  void PostBegin();
  void PostClose();
  // Ends it after the answer that is under way, if there is one.
  void PostDrain();

 private:
  enum class State : std::uint8_t {
    kReading,
    kAnswering,  // the route has the request
    kWriting,
    kGoodbye,  // nothing more is said; waits for the client to close
    kClosed,
  };
  void Begin();
  void Read();
  void OnRead(error_code error, std::size_t count);
  void Go();
  void OnRequest();
  void OnAnswer(RestAnswer answer);
  void Refuse(const Refusal& refusal);
  void Write(const RestAnswer& answer);
  void WriteContinue();
  void OnWritten(error_code error);
  void BeginGoodbye();
  void Arm(Duration pause);
  void OnDeadline();
  void Close();

  const std::shared_ptr<Life> life_;  // first: ends last
  const std::shared_ptr<Service> service_;
  const transports::Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  transports::Socket socket_;
  transports::Timer<Connection> timer_;
  State state_ = State::kReading;
  std::atomic<Stage> stage_{Stage::kSilent};
  RequestReader reader_;
  RequestReader::State phase_ = RequestReader::State::kHeader;  // what the deadline is of
  bool is_reading_ = false;
  bool is_draining_ = false;
  bool is_last_ = false;  // closed after the answer that is written
  std::string head_;
  std::string body_;
};

}  // namespace kommander::rest
