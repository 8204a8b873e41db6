// Nodes that find each other: each says again and again, to a multicast group of the local network,
// who it is and where (docs/protocol.md). Addresses only; who is a member, the cluster decides.
//
//   MulticastOptions options("harbour", NodeId(1), Endpoint("10.0.0.1", 7001));
//   auto discovery = std::make_shared<MulticastDiscovery>(MakeSteadyClock(), options.Secret(key));
//   if (discovery->Start(executor, detail)) ...
//   RaftManager raft(executor, configuration, wal, transport, discovery);
//
// With a secret an announcement carries an HMAC-SHA256 and cannot be made, changed or repeated by
// whoever does not know it. Without one anybody on that network can say anything, and so make nodes
// dial where it likes, which ends at the handshake of the transport; that has to be asked for.
// Nothing is encrypted. The machines' clocks must agree to within ClockSkew.
//
// Threads: none of its own. Everything but the calls below happens on a strand of Start's executor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/discovery.hpp>
#include <kommander/errors.hpp>
#include <kommander/time.hpp>

namespace kommander {

namespace multicast {
class Service;
}

// What Start refuses, with the reason, is out of the ranges that stand here.
class MulticastOptions {
 public:
  // Of link-local scope, for GroupV6.
  static constexpr const char* kGroupV6 = "ff12::4b4d:4452";

  // The cluster and the id are those of this node's RaftConfiguration. `announced` is where the
  // others dial this node: a host and a port that is not 0. Host and cluster id have 436 bytes
  // together at most.
  MulticastOptions(std::string cluster_id, NodeId node, Endpoint announced)
      : cluster_id_(std::move(cluster_id)), node_(node), announced_(std::move(announced)) {}

  // At least 16 bytes, the same on all nodes. To change it without a gap: give every node
  // (old, new), then (new, old), then (new). The first signs, both are accepted; the second may be
  // empty.
  MulticastOptions& Secret(std::string signs, std::string accepted_too = {}) {
    secrets_.clear();
    secrets_.push_back(std::move(signs));
    if (!accepted_too.empty()) secrets_.push_back(std::move(accepted_too));
    return *this;
  }
  // Without a secret: anyone on the network can announce any address for any node. Not with one.
  MulticastOptions& AllowUnauthenticated() { return Set(unauthenticated_, true); }

  // Literal addresses of multicast groups; empty: not this family. At least one of the two, and the
  // same on all nodes. One of IPv6 needs Interface. Defaults 239.192.75.68 and none.
  MulticastOptions& GroupV4(std::string group) { return Set(group_v4_, std::move(group)); }
  MulticastOptions& GroupV6(std::string group) { return Set(group_v6_, std::move(group)); }
  // Of UDP, 1..65535, the same on all nodes. Default 17475.
  MulticastOptions& Port(std::uint16_t port) { return Set(port_, port); }
  // A name ("eth0") or one of its addresses ("10.0.0.1"); empty: the system's choice. It need not
  // be there yet. Default empty.
  MulticastOptions& Interface(std::string interface) {
    return Set(interface_, std::move(interface));
  }
  // How many routers an announcement may pass, plus one; 1..255. Default 1: none.
  MulticastOptions& Hops(int hops) { return Set(hops_, hops); }

  // Between two announcements, 100 ms..1 h; up to an eighth less, by chance. A node that hears of a
  // new one announces itself sooner, though not within a tenth of this. Default 5 s.
  MulticastOptions& Interval(Duration interval) { return Set(interval_, interval); }
  // A node that was not heard for so many intervals is not named any more; 2..1000. Default 3.
  MulticastOptions& ExpireAfter(int intervals) { return Set(expire_after_, intervals); }
  // How far the time that an announcement carries may be from this machine's, 1 s..1 h. Nothing
  // older can be repeated to a node that was not there when it was said. Default 60 s.
  MulticastOptions& ClockSkew(Duration skew) { return Set(clock_skew_, skew); }
  // Nodes that are remembered, 1..4096; one more is refused and counted. Default 256.
  MulticastOptions& NodesMax(std::size_t nodes) { return Set(nodes_max_, nodes); }

  [[nodiscard]] const std::string& cluster_id() const noexcept { return cluster_id_; }
  [[nodiscard]] NodeId node() const noexcept { return node_; }
  [[nodiscard]] const Endpoint& announced() const noexcept { return announced_; }
  [[nodiscard]] const std::vector<std::string>& secrets() const noexcept { return secrets_; }
  [[nodiscard]] bool unauthenticated() const noexcept { return unauthenticated_; }
  [[nodiscard]] const std::string& group_v4() const noexcept { return group_v4_; }
  [[nodiscard]] const std::string& group_v6() const noexcept { return group_v6_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] const std::string& interface() const noexcept { return interface_; }
  [[nodiscard]] int hops() const noexcept { return hops_; }
  [[nodiscard]] Duration interval() const noexcept { return interval_; }
  [[nodiscard]] int expire_after() const noexcept { return expire_after_; }
  [[nodiscard]] Duration clock_skew() const noexcept { return clock_skew_; }
  [[nodiscard]] std::size_t nodes_max() const noexcept { return nodes_max_; }

 private:
  template <class Value>
  MulticastOptions& Set(Value& field, Value value) {
    field = std::move(value);
    return *this;
  }
  std::string cluster_id_;
  NodeId node_;
  Endpoint announced_;
  std::vector<std::string> secrets_;
  bool unauthenticated_ = false;
  std::string group_v4_ = "239.192.75.68";
  std::string group_v6_;
  std::uint16_t port_ = 17475;
  std::string interface_;
  int hops_ = 1;
  Duration interval_ = std::chrono::seconds(5);
  int expire_after_ = 3;
  Duration clock_skew_ = std::chrono::seconds(60);
  std::size_t nodes_max_ = 256;
};

// Counts since the start. Whatever arrives is counted once, in `accepted`, `own` or one of those
// that were dropped.
struct MulticastStatistics {
  MulticastStatistics() = default;
  std::uint64_t sent = 0;                // datagrams, one per group and announcement
  std::uint64_t accepted = 0;            // announcements of other nodes
  std::uint64_t own = 0;                 // this process's, looped back
  std::uint64_t dropped_oversize = 0;    // more than 512 bytes
  std::uint64_t dropped_malformed = 0;   // not an announcement
  std::uint64_t dropped_version = 0;     // of a format that this library does not know
  std::uint64_t dropped_foreign = 0;     // of another cluster
  std::uint64_t dropped_secret = 0;      // signed with another secret, or not, or needlessly
  std::uint64_t dropped_stale = 0;       // its time is too far from this machine's
  std::uint64_t dropped_repeated = 0;    // heard before, or older than what was
  std::uint64_t dropped_own_id = 0;      // another process announces this node's id
  std::uint64_t dropped_table_full = 0;  // one node more than NodesMax
  std::uint64_t expired = 0;             // nodes that fell silent
  std::uint64_t socket_errors = 0;       // opening, joining, sending or receiving; tried again
  std::size_t nodes = 0;                 // named now
  std::string last_error;                // the last socket error, for a person; empty: none
};

// The node passes its own id over, so Nodes() does not name it. The context must outlive the
// object, unless Stop has completed. The destructor without Stop ends it as the context runs on.
class KOMMANDER_EXPORT MulticastDiscovery final : public Discovery {
 public:
  // All waiting goes through `clock`, whose wall time announcements carry.
  MulticastDiscovery(std::shared_ptr<Clock> clock, MulticastOptions options);
  ~MulticastDiscovery() override;
  MulticastDiscovery(const MulticastDiscovery&) = delete;
  MulticastDiscovery& operator=(const MulticastDiscovery&) = delete;

  // InvalidArgument: the options, or a second start; `detail` then has one line for a person, as it
  // has when the system has no random numbers. A network that is not there is no error: it is tried
  // again after a pause that grows from 1 s to 30 s, and counted. Thread-safe.
  error_code Start(boost::asio::any_io_executor executor, std::string& detail);

  // The nodes heard lately, each with its last address. Thread-safe, also before Start and after
  // Stop, when it is empty once they have expired.
  [[nodiscard]] std::vector<NodeAddress> Nodes() const override;
  [[nodiscard]] MulticastStatistics Statistics() const;

  // Announces nothing more and leaves the groups; the others forget this node when it has expired.
  // Thread-safe, does not wait. `done` may be empty and is called once, on the executor.
  void Stop(std::function<void()> done);

 private:
  const std::shared_ptr<multicast::Service> service_;
};

}  // namespace kommander
