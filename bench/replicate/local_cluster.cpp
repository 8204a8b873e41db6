// All nodes in this process, each with a thread of its own.
#include <memory>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <kommander/memory_transport.hpp>
#include <kommander/steady_clock.hpp>

#include "bench_node.hpp"
#include "cluster.hpp"

namespace kommander::bench {
namespace {

class LocalCluster final : public Cluster {
 public:
  LocalCluster(const Options& options, const std::string& directory) {
    const auto members = LoopbackMembers(FreePorts(options.nodes));
    const auto clock = MakeSteadyClock();
    const auto network = MemoryNetwork::Create();
    for (const NodeAddress& member : members) {
      std::shared_ptr<Transport> transport;
      if (options.transport() == "memory") {
        transport = network->CreateTransport(clock);
      } else {
        transport = MakeSocketTransport(options, clock);
      }
      nodes_.push_back(
          std::make_unique<BenchNode>(options, member.id, members, std::move(transport),
                                      directory + "/node" + std::to_string(member.id.value())));
    }
  }

  void Start() override {
    for (const auto& node : nodes_) node->Join();
    for (const auto& node : nodes_) node->AwaitReady();
  }
  void StartLoad(Call call) override {
    for (const auto& node : nodes_) node->StartLoad(call);
  }
  void BeginMeasuring() override {
    for (const auto& node : nodes_) node->BeginMeasuring();
  }
  std::vector<NodeReport> EndMeasuring() override {
    std::vector<NodeReport> reports;
    for (const auto& node : nodes_) reports.push_back(node->EndMeasuring());
    return reports;
  }
  void StopLoad() override {
    for (const auto& node : nodes_) node->StopLoad();
  }
  std::vector<ProcessUsage> Usage() override { return {CurrentUsage()}; }
  void Stop() override {
    for (const auto& node : nodes_) node->Stop();
  }

 private:
  std::vector<std::unique_ptr<BenchNode>> nodes_;
};

}  // namespace

std::unique_ptr<Cluster> MakeLocalCluster(const Options& options, const std::string& directory) {
  return std::make_unique<LocalCluster>(options, directory);
}

std::vector<std::uint16_t> FreePorts(std::uint32_t count) {
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  const tcp::endpoint any(boost::asio::ip::address_v4::loopback(), 0);
  std::vector<tcp::acceptor> acceptors;  // all open until all are chosen
  std::vector<std::uint16_t> ports;
  for (std::uint32_t i = 0; i < count; ++i) {
    acceptors.emplace_back(context, any);
    ports.push_back(acceptors.back().local_endpoint().port());
  }
  return ports;
}

std::vector<NodeAddress> LoopbackMembers(const std::vector<std::uint16_t>& ports) {
  std::vector<NodeAddress> members;
  for (const std::uint16_t port : ports) {
    const NodeId id(static_cast<std::uint32_t>(members.size()) + 1);
    members.emplace_back(id, Endpoint("127.0.0.1", port));
  }
  return members;
}

}  // namespace kommander::bench
