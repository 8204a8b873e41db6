// One node of a memory network: it dials its peers, judges who dials it, and hands over what
// arrives. Everything but Send and Post happens on its strand, and after its last step there the
// strand is gone: nothing of it holds the executor any more.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <kommander/detail/mutex.hpp>
#include <kommander/transport.hpp>

#include "codec/handshake.hpp"
#include "common/back_off.hpp"
#include "common/counters.hpp"
#include "memory/link.hpp"
#include "memory/switchboard.hpp"

namespace kommander::memory {

class Node final : public std::enable_shared_from_this<Node> {
 public:
  Node(std::shared_ptr<Switchboard> switchboard, std::shared_ptr<Clock> clock);

  error_code Start(boost::asio::any_io_executor executor, Endpoint listen,
                   std::weak_ptr<TransportHost> host, std::string& detail);
  void SetPeer(NodeId peer, Endpoint endpoint);
  void RemovePeer(NodeId peer);
  void Send(Message message);
  void Stop(std::function<void()> done);
  [[nodiscard]] transports::Counters& counters() noexcept { return counters_; }

  // Thread-safe; false when the node has stopped.
  [[nodiscard]] bool PostDrain(std::shared_ptr<Link> link);
  // On the strand.
  void Drain(const std::shared_ptr<Link>& link);

 private:
  class RetryTimer;
  // The attempts to reach one peer; used on the strand.
  struct Dial {
    Dial(NodeId dial_peer, Endpoint dial_endpoint, transports::BackOff dial_pauses)
        : peer(dial_peer), endpoint(std::move(dial_endpoint)), pauses(dial_pauses) {}
    NodeId peer;
    Endpoint endpoint;
    transports::BackOff pauses;
    std::uint64_t attempt = 0;  // answers to an earlier one are ignored
    bool reported = false;      // the host knows that the peer is away
    std::shared_ptr<RetryTimer> timer;
    std::shared_ptr<Link> link;  // connected
  };
  // Where a greeting came from, and so where its answer goes.
  struct Caller {
    std::weak_ptr<Node> node;
    NodeId peer;  // whom it dialled
    std::uint64_t attempt = 0;
  };

  template <class Function>
  [[nodiscard]] bool Post(Function function) {
    const detail::MutexLock lock(mutex_);
    if (!strand_) return false;
    boost::asio::post(*strand_, std::move(function));
    return true;
  }

  void AddDial(NodeId peer, Endpoint endpoint);
  void Attempt(NodeId peer);
  void Retry(Dial& dial, error_code reason);
  [[nodiscard]] Dial* Find(NodeId peer, std::uint64_t attempt);
  void OnGreeting(codec::Greeting greeting, Caller caller);
  void OnGreetingJudged(const codec::Greeting& greeting, const Caller& caller, error_code verdict);
  void OnAnswer(NodeId peer, std::uint64_t attempt, std::shared_ptr<Node> acceptor,
                codec::Greeting answer);
  void OnAnswerJudged(NodeId peer, std::uint64_t attempt, std::shared_ptr<Node> acceptor,
                      error_code verdict);
  void OnRefused(NodeId peer, std::uint64_t attempt, error_code reason);
  void AddInbound(std::shared_ptr<Link> link);
  // Ends the link and tells the node at its other end.
  void CloseLink(const std::shared_ptr<Link>& link, error_code reason);
  void OnLinkClosed(const std::shared_ptr<Link>& link, error_code reason);
  void Unroute(const std::shared_ptr<Link>& link);
  void Finish();

  const std::shared_ptr<Switchboard> switchboard_;
  const std::shared_ptr<Clock> clock_;
  transports::Counters counters_;

  detail::Mutex mutex_;
  std::optional<boost::asio::strand<boost::asio::any_io_executor>> strand_
      KOMMANDER_GUARDED_BY(mutex_);  // none: not running
  bool started_ KOMMANDER_GUARDED_BY(mutex_) = false;
  bool stopping_ KOMMANDER_GUARDED_BY(mutex_) = false;                       // Finish is on its way
  std::vector<std::function<void()>> stopped_ KOMMANDER_GUARDED_BY(mutex_);  // to be told by it
  std::unordered_map<NodeId, std::shared_ptr<Link>> routes_ KOMMANDER_GUARDED_BY(mutex_);

  // On the strand, or before it exists.
  boost::asio::any_io_executor strand_executor_;
  boost::asio::any_io_executor executor_;
  std::weak_ptr<TransportHost> host_;
  std::string name_;
  std::map<NodeId, Dial> dials_;
  std::map<NodeId, std::shared_ptr<Link>> inbound_;
};

}  // namespace kommander::memory
