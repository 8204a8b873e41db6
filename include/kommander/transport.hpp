// Carries messages between nodes. Raft tolerates loss, reordering and repetition, so a transport
// owes effort, not delivery; what it must never do is deliver something that was not sent, or to a
// partition before the handshake with that peer is done.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/detail/export.hpp>
#include <kommander/discovery.hpp>
#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/messages.hpp>

namespace kommander {

inline constexpr std::uint16_t kProtocolVersionMin = 1;  // of what this library speaks, the oldest
inline constexpr std::uint16_t kProtocolVersionMax = 1;  // and the newest

// What a node says of itself before anything else, in both directions.
struct Hello {
  Hello() = default;
  std::string cluster_id;
  NodeId node;
  Incarnation incarnation;
  std::uint16_t version_min = kProtocolVersionMin;
  std::uint16_t version_max = kProtocolVersionMax;
  std::uint64_t bootstrap_digest = 0;  // of P0's configuration at index 0
  bool knows_roster = false;           // the cluster's roster has been applied on this node
  Incarnation known_incarnation;       // of the receiver: the roster's pin, else this node's own
  std::uint64_t nonce = 0;             // random per process: a node that dialled itself knows it
  friend bool operator==(const Hello&, const Hello&) = default;
};

// The node that a transport serves. Calls come on any thread; implementations only enqueue.
class KOMMANDER_EXPORT TransportHost {
 public:
  virtual ~TransportHost() = default;
  // This node's own words for a peer; `peer` is 0 before an accepted connection has said who it is.
  [[nodiscard]] virtual Hello LocalHello(NodeId peer) const = 0;
  // Judges a peer's hello. `verdict` is called once, on any thread, no error meaning that messages
  // may flow; the peer is told the error's name. It may take long: the peer's pin is synced first.
  // `dialled` is the node that this side meant to reach, 0 for an accepted connection.
  virtual void Judge(Hello hello, NodeId dialled, std::function<void(error_code)> verdict) = 0;
  // Messages of one peer, in the order of arrival. Every `from` equals the peer of the handshake
  // and every `to` this node: the transport has checked both.
  virtual void OnMessages(NodeId from, std::vector<Message> messages) = 0;
  // A connection to or from the peer ended, or an attempt to make one failed.
  virtual void OnPeerDown(NodeId peer, error_code reason) = 0;
  // The peer has heard this node's hello and will not have it. What this node refuses by its own
  // judgement is not reported: it says nothing about this node.
  virtual void OnRefused(NodeId peer, error_code reason) = 0;
};

// Counts since the start; readable from any thread. A frame that is refused closes its connection.
struct TransportStatistics {
  TransportStatistics() = default;
  std::uint64_t messages_sent = 0;
  std::uint64_t messages_received = 0;
  std::uint64_t bytes_sent = 0;
  std::uint64_t bytes_received = 0;
  std::uint64_t writes = 0;               // system calls that sent
  std::uint64_t dropped_queue_full = 0;   // messages
  std::uint64_t dropped_unreachable = 0;  // messages for a peer without connection
  std::uint64_t dropped_superseded =
      0;  // heartbeats and acknowledgements that a newer one replaced
  std::uint64_t rejected_truncated = 0;  // connections that ended inside a frame
  std::uint64_t rejected_oversize = 0;   // a length above the cap of its kind
  std::uint64_t rejected_corrupt = 0;    // magic, checksum or contents
  std::uint64_t rejected_out_of_order =
      0;                                 // a frame that the state of the connection does not allow
  std::uint64_t rejected_foreign = 0;    // a partition message with another sender or receiver
  std::uint64_t rejected_handshake = 0;  // a hello that the host refused
};

class KOMMANDER_EXPORT Transport {
 public:
  virtual ~Transport() = default;

  // Binds, listens and begins to serve. `detail` receives one line for a person when it fails
  // (AddressInUse, InvalidArgument). The host outlives the transport's last call of it: see Stop.
  virtual error_code Start(boost::asio::any_io_executor executor, Endpoint listen,
                           std::weak_ptr<TransportHost> host, std::string& detail) = 0;

  // Where a peer is; replaces an earlier address. The transport keeps a connection to it from now
  // on.
  virtual void SetPeer(NodeId peer, Endpoint endpoint) = 0;
  virtual void RemovePeer(NodeId peer) = 0;

  // Queues; never blocks, never throws. Thread-safe. Over the queue's bound in bytes the message is
  // dropped and counted.
  virtual void Send(Message message) noexcept = 0;

  [[nodiscard]] virtual TransportStatistics Statistics() const noexcept = 0;

  // Closes everything. Thread-safe, does not wait; the host is not called after `done` was. `done`
  // may be empty and is called once, on the executor.
  virtual void Stop(std::function<void()> done) = 0;
};

}  // namespace kommander
