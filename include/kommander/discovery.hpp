// Where the other nodes are today. Discovery finds addresses; it never decides who counts in a
// quorum.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>

namespace kommander {

// Where a node listens. A literal IP address is never resolved.
struct KOMMANDER_EXPORT Endpoint {
  // "node-1:7001", "10.0.0.1:7001" or "[::1]:7001"; none: the text is nothing like that. A name is
  // up to 255 visible characters; whether it exists, the one who connects will see.
  [[nodiscard]] static std::optional<Endpoint> Parse(std::string_view text);

  Endpoint() = default;
  Endpoint(std::string endpoint_host, std::uint16_t endpoint_port)
      : host(std::move(endpoint_host)), port(endpoint_port) {}
  [[nodiscard]] std::string ToString() const {
    const bool is_v6 = host.find(':') != std::string::npos;
    return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  std::string host;
  std::uint16_t port = 0;
};

// Which node listens where.
struct NodeAddress {
  NodeAddress() = default;
  NodeAddress(NodeId node, Endpoint address) : id(node), endpoint(std::move(address)) {}
  friend bool operator==(const NodeAddress&, const NodeAddress&) = default;
  NodeId id;
  Endpoint endpoint;
};

class KOMMANDER_EXPORT Discovery {
 public:
  virtual ~Discovery() = default;
  // Every node known now, this one included or not. Never blocks; thread-safe. A running node asks
  // about once per election timeout, and dials a node elsewhere when its address is another one. Of
  // several addresses of one node the first counts. A node that is not named any more keeps the
  // last known address and stays what it is: a member, if it was one.
  [[nodiscard]] virtual std::vector<NodeAddress> Nodes() const = 0;
};

// A list given at the start; dynamic_discovery.hpp has one that changes, multicast_discovery.hpp
// nodes that find each other.
class KOMMANDER_EXPORT StaticDiscovery final : public Discovery {
 public:
  explicit StaticDiscovery(std::vector<NodeAddress> nodes) : nodes_(std::move(nodes)) {}
  [[nodiscard]] std::vector<NodeAddress> Nodes() const override { return nodes_; }

 private:
  std::vector<NodeAddress> nodes_;
};

}  // namespace kommander
