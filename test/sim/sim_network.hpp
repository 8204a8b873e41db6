// The network between simulated nodes. Every directed pair of nodes has a link with faults of its
// own; over it one connection per life of the two, made by the same handshake as in production:
// messages flow once both sides have judged the other's hello.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <kommander/transport.hpp>

#include "chance.hpp"
#include "fault_mark.hpp"
#include "observer.hpp"
#include "world.hpp"

namespace kommander::sim {

// What a directed link does to messages. The rates are per thousand.
struct LinkFaults {
  bool cut = false;  // nothing gets through; what is sent is lost without a word
  std::vector<FaultMark> cut_by;
  std::uint32_t lose_permille = 0;
  std::uint32_t duplicate_permille = 0;
  std::uint32_t reorder_permille = 0;
  Duration delay_min = std::chrono::microseconds(50);
  Duration delay_max = std::chrono::microseconds(500);
  Duration reorder_max = std::chrono::milliseconds(50);
  FaultMark lost_by;
  FaultMark duplicated_by;
  FaultMark reordered_by;
  FaultMark delayed_by;

  void Cut(FaultMark mark) {
    cut = true;
    cut_by.push_back(mark);
  }
};

// How often each kind of fault has hit a message.
struct NetworkCounters {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;
  std::uint64_t delayed = 0;  // for longer than a good link takes
  std::uint64_t cut = 0;      // messages and calls that met a dead link
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;
  std::uint64_t connections_dropped = 0;
  std::uint64_t handshakes_refused = 0;
  std::uint64_t encoded = 0;  // went through the codec
  std::uint64_t strange = 0;  // messages of a stranger that a node was handed
  std::uint64_t lies = 0;     // messages of a lying member that a node was handed
};

// What a message becomes on its way; empty: unchanged. False: it could not be decoded again.
using MessageFilter = std::function<bool(Message& message)>;

class SimTransport;

class SimNetwork {
 public:
  SimNetwork(World& world, Observer* observer);
  ~SimNetwork();
  SimNetwork(const SimNetwork&) = delete;
  SimNetwork& operator=(const SimNetwork&) = delete;

  // The transport of one life of a node.
  std::shared_ptr<SimTransport> CreateTransport(ProcessRecord& process, NodeId node);

  [[nodiscard]] LinkFaults& Link(NodeId from, NodeId to) { return links_[Key(from, to)]; }
  // Every link is as good as new.
  void Heal();
  // Ends the connection that carries messages from `from` to `to`, as a reset does.
  // False: there is none.
  bool DropConnection(NodeId from, NodeId to);

  // A share of all messages goes through the filter.
  void SetFilter(MessageFilter filter, std::uint32_t permille) {
    filter_ = std::move(filter);
    filter_permille_ = permille;
  }
  // See every message that a node sends.
  void AddTap(std::function<void(const Message&)> tap) { taps_.push_back(std::move(tap)); }
  void RemoveTaps() { taps_.clear(); }
  // Hands a node messages that their sender has not sent. As a stranger's, without a handshake, as
  // a transport that let strangers in would: they are withheld from a node that has pinned the
  // sender by the time they arrive, which would be right to believe them. As a peer's: withheld
  // from a node that has not. False: the node is not there.
  enum class As : std::uint8_t { kStranger, kPeer };
  bool Inject(As as, NodeId from, NodeId to, std::vector<Message> messages);
  // Nothing that the node itself says gets through, nor anything to it; whatever else befalls its
  // links.
  void SetSilenced(NodeId node, bool silenced);
  [[nodiscard]] const NetworkCounters& counters() const noexcept { return counters_; }

 private:
  friend class SimTransport;
  struct Connection;
  using LinkKey = std::uint64_t;
  static LinkKey Key(NodeId from, NodeId to) noexcept {
    return (LinkKey{from.value()} << 32) | to.value();
  }

  // Empty when the process has gone or listens no more.
  [[nodiscard]] std::shared_ptr<SimTransport> Listener(const Endpoint& endpoint) const;
  void Dial(const std::shared_ptr<SimTransport>& from, NodeId peer);
  void Hear(const std::shared_ptr<Connection>& connection, const Endpoint& endpoint,
            const Hello& hello);
  void Accept(const std::shared_ptr<Connection>& connection, error_code verdict);
  void HearRefusal(const std::shared_ptr<Connection>& connection, error_code reason);
  void HearReply(const std::shared_ptr<Connection>& connection, const Hello& hello);
  void Establish(const std::shared_ptr<Connection>& connection, error_code verdict);
  void Close(const std::shared_ptr<Connection>& connection, error_code reason);
  void Redial(const std::weak_ptr<SimTransport>& transport, NodeId peer);
  void Flush(const std::shared_ptr<Connection>& connection);
  void Deliver(const std::shared_ptr<Connection>& connection, std::vector<Message> messages,
               Duration delay, bool keeps_order);
  [[nodiscard]] bool IsCut(NodeId from, NodeId to) {
    return Link(from, to).cut || silenced_.contains(from) || silenced_.contains(to);
  }
  // So many messages or calls have met a link that is cut.
  void CountCut(NodeId from, NodeId to, std::uint64_t times);
  Duration Delay(NodeId from, NodeId to);
  // Runs on the process of the transport after the link's delay.
  template <class Function>
  void After(const std::weak_ptr<SimTransport>& transport, Duration delay, Function function);

  World& world_;
  Observer* observer_;
  Chance chance_;
  std::map<LinkKey, LinkFaults> links_;
  std::map<std::pair<std::string, std::uint16_t>, std::weak_ptr<SimTransport>> listeners_;
  std::map<LinkKey, std::shared_ptr<Connection>> connections_;
  NetworkCounters counters_;
  MessageFilter filter_;
  std::uint32_t filter_permille_ = 0;
  std::vector<std::function<void(const Message&)>> taps_;
  std::set<NodeId> silenced_;
};

// One per life of a node.
class SimTransport final : public Transport, public std::enable_shared_from_this<SimTransport> {
 public:
  SimTransport(SimNetwork& network, ProcessRecord& process, NodeId node)
      : network_(network), process_(process), node_(node) {}
  // One that was never stopped leaves with its process: peers find its connections closed.
  ~SimTransport() override { Kill(); }

  error_code Start(boost::asio::any_io_executor executor, Endpoint listen,
                   std::weak_ptr<TransportHost> host, std::string& detail) override;
  void SetPeer(NodeId peer, Endpoint endpoint) override;
  void RemovePeer(NodeId peer) override;
  void Send(Message message) noexcept override;
  [[nodiscard]] TransportStatistics Statistics() const noexcept override { return statistics_; }
  void Stop(std::function<void()> done) override;

  // The process dies: nothing more is sent or heard, and peers notice or do not.
  void Kill() noexcept;

 private:
  friend class SimNetwork;
  void LeaveNetwork();
  SimNetwork& network_;
  ProcessRecord& process_;
  const NodeId node_;
  boost::asio::any_io_executor executor_;
  std::weak_ptr<TransportHost> host_;
  Endpoint listen_;
  std::map<NodeId, Endpoint> peers_;
  TransportStatistics statistics_;
  bool started_ = false;
  bool stopped_ = false;
};

}  // namespace kommander::sim
