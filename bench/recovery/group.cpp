#include "group.hpp"

#include <stdexcept>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_future.hpp>

#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>

#include "../replicate/cluster.hpp"

namespace kommander::bench {

Group::Group(const Options& options, std::string directory,
             std::function<NodeExtras(std::size_t)> make_extras)
    : options_(options),
      directory_(std::move(directory)),
      make_extras_(std::move(make_extras)),
      members_(LoopbackMembers(FreePorts(options.nodes))),
      nodes_(options.nodes) {}

std::string Group::DirectoryOf(std::size_t node) const {
  return directory_ + "/node" + std::to_string(node + 1);
}

void Group::Start(std::size_t node) {
  nodes_.at(node) = std::make_unique<BenchNode>(options_, members_[node].id, members_,
                                                std::make_shared<TcpTransport>(MakeSteadyClock()),
                                                DirectoryOf(node), make_extras_(node));
  nodes_[node]->Join();
}

void Group::StartAll() {
  for (std::size_t node = 0; node < nodes_.size(); ++node) Start(node);
  for (const auto& node : nodes_) node->AwaitReady();
}

void Group::Stop(std::size_t node) { nodes_.at(node).reset(); }

std::size_t Group::Leader(PartitionId partition) {
  std::size_t leader = nodes_.size();
  Await("a leader", [&] {
    for (std::size_t node = 0; node < nodes_.size(); ++node) {
      if (!nodes_[node]) continue;
      const PartitionStatus status = nodes_[node]->raft().Status(partition);
      if (status.role == Role::kLeader && status.ready) leader = node;
    }
    return leader != nodes_.size();
  });
  return leader;
}

void Group::KeepFromLeading(std::size_t node, PartitionId partition) {
  if (Leader(partition) != node) return;
  nodes_[node]->raft().TransferLeadership(partition, NodeId(), boost::asio::use_future).get();
  Await("another leader", [&] { return Leader(partition) != node; });
}

void Group::StartLoad(Call call) {
  for (const auto& node : nodes_) {
    if (node) node->StartLoad(call);
  }
}

void Group::StopLoad() {
  for (const auto& node : nodes_) {
    if (node) node->StopLoad();
  }
}

void Group::BeginMeasuring() {
  for (const auto& node : nodes_) {
    if (node) node->BeginMeasuring();
  }
}

std::vector<NodeReport> Group::EndMeasuring() {
  std::vector<NodeReport> reports;
  for (const auto& node : nodes_) {
    if (node) reports.push_back(node->EndMeasuring());
  }
  return reports;
}

std::vector<NodeReport> Group::Measure(std::chrono::duration<double> length) {
  BeginMeasuring();
  Pass(length);
  return EndMeasuring();
}

void Pass(std::chrono::duration<double> time) {
  boost::asio::io_context context;
  boost::asio::steady_timer timer(context);
  timer.expires_after(std::chrono::duration_cast<std::chrono::nanoseconds>(time));
  timer.wait();
}

void Await(const std::string& what, const std::function<bool()>& holds) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::minutes(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > limit) {
      throw std::runtime_error("waited for ten minutes for " + what);
    }
    Pass(std::chrono::milliseconds(2));
  }
}

double PerSecond(const std::vector<NodeReport>& reports) {
  double sum = 0;
  for (const NodeReport& report : reports) {
    sum += static_cast<double>(report.commits) / report.elapsed_seconds;
  }
  return sum;
}

}  // namespace kommander::bench
