// Work that one node at a time must do: the leader of a partition runs a worker, and what the
// worker has done is told through the log. Three nodes in one process; leadership moves twice, once
// in good order and once because the leader is cut off, and every job counts exactly once.
#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>

namespace asio = boost::asio;
using namespace kommander;
using namespace std::chrono_literals;

constexpr PartitionId kPartition(1);
constexpr std::string_view kPace = "worker/pace-ms";  // a setting of the cluster
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

// A node of the cluster, its worker, and the state that the log stands for: which jobs are done.
// Everything here runs on the one thread of its io_context, so nothing is guarded.
class Node {
 public:
  Node(asio::io_context& context, NodeId id, const std::vector<NodeAddress>& members,
       MemoryNetwork& network)
      : applied_(context, asio::steady_timer::time_point::max()),
        raft_(context.get_executor(), Configure(id, members), std::make_shared<MemoryWal>(),
              network.CreateTransport(MakeSteadyClock()),
              std::make_shared<StaticDiscovery>(members)) {
    const auto apply = [this](const RaftLog& log) { return Apply(log); };
    raft_.OnLogRestored(apply).OnReplicationReceived(apply);
    raft_.OnLeaderChanged([this](PartitionId partition, NodeId leader) {
      if (partition != kPartition) return;
      if (leader == raft_.id() && !is_retired_) StartWorker();
      if (leader != raft_.id()) StopWorker();
    });
  }

  RaftManager& raft() noexcept { return raft_; }
  // Who did job 1, 2, ... as far as this node has applied the log.
  const std::vector<NodeId>& done() const noexcept { return done_; }
  std::size_t ignored() const noexcept { return ignored_; }
  bool IsWorking() const noexcept { return worker_ != nullptr; }

  // Until this many jobs are done.
  asio::awaitable<void> WaitFor(std::size_t jobs) {
    while (done_.size() < jobs) co_await applied_.async_wait(kToken);
  }
  // Says that this node has done the job. Whether that counts is decided where it is applied.
  asio::awaitable<error_code> Report(std::uint64_t job) {
    const Payload report(std::to_string(job) + ' ' + std::to_string(raft_.id().value()));
    const auto [error, result] = co_await raft_.ReplicateLogs(
        kPartition, "done", report, ReplicateOptions().AwaitApply(), kToken);
    co_return error;
  }
  // No worker runs here any more.
  void Retire() {
    is_retired_ = true;
    StopWorker();
  }

 private:
  static RaftConfiguration Configure(NodeId id, const std::vector<NodeAddress>& members) {
    const Endpoint here = members[id.value() - 1].endpoint;
    return RaftConfiguration().Id(id).Listen(here).InitialMembers(members);
  }

  // Each worker has a signal of its own: the last one may still be on its way out.
  void StartWorker() {
    if (worker_) return;
    std::cout << "node " << raft_.id().value() << " leads: its worker starts" << std::endl;
    worker_ = std::make_shared<asio::cancellation_signal>();
    const auto ended = [this, worker = worker_](std::exception_ptr failure) {
      if (worker == worker_) std::rethrow_exception(failure);  // it was not StopWorker
    };
    asio::co_spawn(raft_.get_executor(), Work(),
                   asio::bind_cancellation_slot(worker_->slot(), ended));
  }
  void StopWorker() {
    if (!worker_) return;
    std::cout << "node " << raft_.id().value() << " stops its worker" << std::endl;
    worker_->emit(asio::cancellation_type::terminal);
    worker_.reset();
  }

  asio::awaitable<void> Work() {
    for (;;) {
      // What earlier leaders' workers told the log comes first: this one goes on from there.
      auto [error, barrier] = co_await raft_.ReadBarrier(kPartition, kToken);
      while (!error) {
        const std::uint64_t job = done_.size() + 1;
        co_await Do(job);
        error = co_await Report(job);
        if (IsOutcomeUnknown(error)) {
          std::cout << "node " << raft_.id().value() << " cannot tell whether its job " << job
                    << " counts; the log can" << std::endl;
        }
      }
      co_await Do(0);  // not again at once
    }
  }
  // The work itself; here it takes time and nothing else. Throws when the worker is cancelled.
  asio::awaitable<void> Do(std::uint64_t /*job*/) {
    auto pace = 5ms;
    if (const auto setting = raft_.GetClusterSetting(kPace)) {
      // Whoever set it may have mistyped: then the pace stays as it was built in.
      const std::string_view text = setting->value.text();
      int milliseconds = 0;
      const auto [end, error] = std::from_chars(text.begin(), text.end(), milliseconds);
      const bool is_pace = error == std::errc() && end == text.end() && milliseconds > 0;
      if (is_pace) pace = std::chrono::milliseconds(milliseconds);
    }
    asio::steady_timer work(raft_.get_executor(), pace);
    co_await work.async_wait(asio::use_awaitable);
  }

  // The fence: of several reports of a job the first one counts, on every node the same one.
  bool Apply(const RaftLog& log) {
    std::istringstream report{std::string(log.payload().text())};
    std::uint64_t job = 0;
    std::uint32_t node = 0;
    if (!(report >> job >> node)) return false;
    const bool is_first = job == done_.size() + 1;
    if (is_first) done_.emplace_back(node);
    if (!is_first) ++ignored_;
    applied_.cancel();  // wakes who waits
    return true;
  }

  std::vector<NodeId> done_;
  std::size_t ignored_ = 0;
  bool is_retired_ = false;
  std::shared_ptr<asio::cancellation_signal> worker_;  // while one runs
  asio::steady_timer applied_;                         // never expires
  RaftManager raft_;
};

struct Cluster {
  std::shared_ptr<MemoryNetwork> network = MemoryNetwork::Create();
  std::array<std::unique_ptr<Node>, 3> nodes;
  Node& operator[](NodeId id) { return *nodes[id.value() - 1]; }

  // Nothing comes from the node any more, and nothing gets there.
  void CutOff(NodeId id) {
    for (const auto& other : nodes) {
      network->SetFaults(id, other->raft().id(), LinkFaults().Cut());
      network->SetFaults(other->raft().id(), id, LinkFaults().Cut());
    }
  }
};
NodeId After(NodeId id) { return NodeId(id.value() % 3 + 1); }

// Every node must join before any has joined: a cluster begins with a majority.
asio::awaitable<void> Join(Node& node) { co_await node.raft().JoinCluster(); }

// The last worker's report may still be on its way, but what is written now comes after it.
asio::awaitable<bool> DoAllAgree(Cluster& cluster) {
  const NodeId leader = co_await cluster.nodes[0]->raft().WaitForLeader(kPartition);
  bool agree = true;
  for (const auto& node : cluster.nodes) {
    agree = agree && node->IsWorking() == (node->raft().id() == leader);
    node->Retire();
  }
  agree = !co_await cluster[leader].Report(1) && agree;  // once more, in order
  for (const auto& node : cluster.nodes) {
    co_await node->raft().ReadBarrier(kPartition);
    std::cout << "node " << node->raft().id().value() << " knows who did job 1, 2, ...:";
    for (const NodeId who : node->done()) std::cout << ' ' << who.value();
    std::cout << "; reports ignored: " << node->ignored() << std::endl;
    agree = agree && node->done() == cluster.nodes[0]->done() && node->ignored() > 0 &&
            node->ignored() == cluster.nodes[0]->ignored();
  }
  co_return agree;
}

asio::awaitable<void> Run(Cluster& cluster, bool& is_good) {
  const NodeId first = co_await cluster.nodes[0]->raft().WaitForLeader(kPartition);
  co_await cluster[first].WaitFor(5);
  // An operator may ask any node; whoever works, now or later, goes by it.
  co_await cluster[After(first)].raft().SetClusterSetting(kPace, "2", ReplicateOptions().Forward());
  const NodeId second = After(first);
  co_await cluster[first].raft().TransferLeadership(kPartition, second);
  co_await cluster[second].WaitFor(cluster[second].done().size() + 5);

  std::cout << "node " << second.value() << " is cut off, and works on" << std::endl;
  cluster.CutOff(second);
  Node& other = cluster[After(second)];
  co_await other.WaitFor(other.done().size() + 5);
  cluster.network->Heal();
  co_await cluster[second].WaitFor(other.done().size());

  const std::vector<NodeId> done = other.done();
  const error_code late = co_await cluster[second].Report(1);
  std::cout << "node " << second.value() << " is back and reports job 1 late: " << late.message()
            << std::endl;
  const bool agree = co_await DoAllAgree(cluster);
  // Both were at work, and nothing that was done before the late reports has changed.
  is_good = agree && std::ranges::count(done, first) > 0 && std::ranges::count(done, second) > 0 &&
            std::equal(done.begin(), done.end(), other.done().begin());
  for (const auto& node : cluster.nodes) co_await node->raft().Stop();
}

int main() {
  asio::io_context context;
  Cluster cluster;
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= 3; ++id) members.emplace_back(NodeId(id), Endpoint("node", id));
  for (std::uint32_t id = 1; id <= 3; ++id) {
    cluster.nodes[id - 1] = std::make_unique<Node>(context, NodeId(id), members, *cluster.network);
  }

  bool is_good = false;
  std::size_t joined = 0;
  const auto report = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);  // out of context.run()
  };
  for (const auto& node : cluster.nodes) {
    asio::co_spawn(context, Join(*node), [&, report](std::exception_ptr failure) {
      report(failure);
      if (++joined == 3) asio::co_spawn(context, Run(cluster, is_good), report);
    });
  }
  try {
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
  }
  return is_good ? 0 : 1;
}
