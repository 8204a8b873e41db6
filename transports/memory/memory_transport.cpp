// The public faces of a memory network and its nodes.
#include <utility>

#include <kommander/memory_transport.hpp>

#include "memory/node.hpp"
#include "memory/switchboard.hpp"

namespace kommander {
namespace {

class MemoryTransport final : public Transport {
 public:
  explicit MemoryTransport(std::shared_ptr<memory::Node> node) : node_(std::move(node)) {}
  ~MemoryTransport() override { Stop({}); }
  MemoryTransport(const MemoryTransport&) = delete;
  MemoryTransport& operator=(const MemoryTransport&) = delete;

  error_code Start(boost::asio::any_io_executor executor, Endpoint listen,
                   std::weak_ptr<TransportHost> host, std::string& detail) override {
    return node_->Start(std::move(executor), std::move(listen), std::move(host), detail);
  }
  void SetPeer(NodeId peer, Endpoint endpoint) override {
    node_->SetPeer(peer, std::move(endpoint));
  }
  void RemovePeer(NodeId peer) override { node_->RemovePeer(peer); }
  void Send(Message message) noexcept override {
    try {
      node_->Send(std::move(message));
    } catch (...) {
      // No memory for one more message: a full queue by another name.
      node_->counters().dropped_queue_full.Add();
    }
  }
  [[nodiscard]] TransportStatistics Statistics() const noexcept override {
    return node_->counters().Read();
  }
  void Stop(std::function<void()> done) override { node_->Stop(std::move(done)); }

 private:
  const std::shared_ptr<memory::Node> node_;
};

class Network final : public MemoryNetwork {
 public:
  explicit Network(MemoryNetworkOptions options)
      : switchboard_(std::make_shared<memory::Switchboard>(options)) {}
  std::shared_ptr<Transport> CreateTransport(std::shared_ptr<Clock> clock) override {
    return std::make_shared<MemoryTransport>(
        std::make_shared<memory::Node>(switchboard_, std::move(clock)));
  }
  void SetFaults(NodeId from, NodeId to, LinkFaults faults) override {
    switchboard_->SetFaults(from, to, faults);
  }
  void SetDefaultFaults(LinkFaults faults) override { switchboard_->SetDefaultFaults(faults); }
  void Heal() override { switchboard_->Heal(); }

 private:
  const std::shared_ptr<memory::Switchboard> switchboard_;
};

}  // namespace

std::shared_ptr<MemoryNetwork> MemoryNetwork::Create(MemoryNetworkOptions options) {
  return std::make_shared<Network>(options);
}

}  // namespace kommander
