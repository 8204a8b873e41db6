// The answering side: greets peers that come, keeps a session for each, and hands their messages to
// the host. A session is known by a random word, belongs to the peer of its handshake, and takes
// requests one after the other, each with the next number: nothing comes twice, late or in another
// order, whatever stands between the two nodes.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/detail/mutex.hpp>
#include <kommander/transport.hpp>

#include "common/acceptor.hpp"
#include "common/counters.hpp"
#include "rest/json_messages.hpp"
#include "rest/router.hpp"
#include "rest/target.hpp"

namespace kommander::rest {

class TransportService;

inline constexpr std::string_view kHandshakePath = "/v1/raft/handshake";
inline constexpr std::string_view kMessagesPath = "/v1/raft/messages";
inline constexpr std::string_view kFarewellPath = "/v1/raft/farewell";

[[nodiscard]] inline bool IsRaftPath(std::string_view target) noexcept {
  const std::string_view path = Target(target).path;
  return path == kHandshakePath || path == kMessagesPath || path == kFarewellPath;
}

class Inbox final : public Router, public std::enable_shared_from_this<Inbox> {
 public:
  Inbox(std::shared_ptr<TransportService> service, std::shared_ptr<detail::Life> life,
        const boost::asio::any_io_executor& executor);
  ~Inbox() override;

  [[nodiscard]] bool Owns(std::string_view target) const noexcept override;
  [[nodiscard]] std::size_t BodyBytesMax(const RestRequest& request) const noexcept override;
  void Handle(RestRequest request, Done done) override;

  // Thread-safe, each at most once.
  void PostBegin();
  // Ends all sessions, without a word to the host, and answers whoever waits for a judgement.
  void Close();

 private:
  struct Session {
    codec::Route route;
    std::uint64_t next = 0;  // number of the next request
    Instant heard;
    bool is_busy = false;
  };
  struct Waiting {
    Done done;
    codec::Greeting greeting;
    Instant until;
  };
  using Sessions = std::map<std::string, Session, std::less<>>;

  void Greet(std::string_view text, const Done& done);
  void OnJudged(std::uint64_t number, error_code verdict);
  void Take(const RestRequest& request, const Done& done);
  [[nodiscard]] RestAnswer Part(const RestRequest& request);
  [[nodiscard]] RestAnswer TakeBatch(const std::string& token, const codec::Route& route,
                                     std::string_view text);
  [[nodiscard]] RestAnswer RefuseBatch(const std::string& token, codec::FrameError error);
  // Whose it was; 0: there is none.
  NodeId EndSession(const std::string& token);
  void ReportDown(NodeId peer, error_code reason);
  void Sweep();

  const std::shared_ptr<detail::Life> life_;  // first: ends last
  const std::shared_ptr<TransportService> service_;
  const transports::Strand strand_;
  const boost::asio::any_io_executor strand_executor_;
  transports::Timer<Inbox> timer_;  // of the strand

  mutable detail::Mutex mutex_;
  bool is_closed_ KOMMANDER_GUARDED_BY(mutex_) = false;
  Sessions sessions_ KOMMANDER_GUARDED_BY(mutex_);
  std::map<std::uint64_t, Waiting> waiting_ KOMMANDER_GUARDED_BY(mutex_);
  std::uint64_t next_waiting_ KOMMANDER_GUARDED_BY(mutex_) = 1;
};

}  // namespace kommander::rest
