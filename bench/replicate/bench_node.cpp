#include "bench_node.hpp"

#include <algorithm>
#include <future>
#include <stdexcept>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>

#include <kommander/memory_wal.hpp>
#include <kommander/rest_transport.hpp>
#include <kommander/rocksdb_wal.hpp>
#include <kommander/sqlite_wal.hpp>
#include <kommander/tcp_transport.hpp>

namespace kommander::bench {
namespace asio = boost::asio;

namespace {

constexpr auto kReadyTimeout = std::chrono::seconds(60);

RaftConfiguration MakeConfiguration(const Options& options, NodeId id,
                                    std::vector<NodeAddress> members, const NodeExtras& extras) {
  RaftConfiguration configuration;
  configuration.Id(id)
      .ClusterId("bench")
      .Listen(members.at(id.value() - 1).endpoint)
      .InitialPartitions(options.partitions)
      .ElectionTimeout(std::chrono::milliseconds(options.election_timeout_ms))
      .JoinTimeout(kReadyTimeout)
      .LeaderTimeout(kReadyTimeout);
  configuration.QueuedProposalsMax(
      std::max<std::size_t>(configuration.queued_proposals_max(), options.outstanding));
  configuration.InitialMembers(std::move(members));
  if (extras.configure) extras.configure(configuration);
  return configuration;
}

std::shared_ptr<Wal> MakeWal(const Options& options, const std::string& directory) {
  if (options.wal() == "rocksdb") return MakeRocksDbWal(RocksDbWalOptions(directory));
  if (options.wal() == "sqlite") return MakeSqliteWal(SqliteWalOptions(directory));
  return std::make_shared<MemoryWal>();
}

}  // namespace

std::shared_ptr<Transport> MakeSocketTransport(const Options& options,
                                               const std::shared_ptr<Clock>& clock) {
  if (options.transport() == "rest") return std::make_shared<RestTransport>(clock);
  return std::make_shared<TcpTransport>(clock);
}

BenchNode::BenchNode(const Options& options, NodeId id, std::vector<NodeAddress> members,
                     std::shared_ptr<Transport> transport, const std::string& directory,
                     const NodeExtras& extras)
    : work_(context_.get_executor()),
      partitions_(options.partitions),
      raft_(context_.get_executor(), MakeConfiguration(options, id, members, extras),
            MakeWal(options, directory), std::move(transport),
            std::make_shared<StaticDiscovery>(members)),
      load_(context_, raft_, options) {
  raft_.OnLeaderChanged(
      [this](const PartitionId& partition, const NodeId&) { load_.OnLeaderChanged(partition); });
  if (extras.restored) {
    raft_.OnRestoreFinished([told = extras.restored](const PartitionId& p) { told(p); });
  }
  if (extras.machine != nullptr) raft_.UseStateMachine(extras.machine);
  if (extras.snapshots != nullptr) raft_.UseSnapshots(extras.snapshots);
  thread_ = std::thread([this] { context_.run(); });
}

BenchNode::~BenchNode() {
  Stop();
  thread_.join();
}

template <class Function>
auto BenchNode::OnThread(Function function) {
  std::packaged_task<decltype(function())()> task(std::move(function));
  return asio::post(context_, std::move(task)).get();  // Asio makes a future of such a task
}

void BenchNode::Join() { joined_ = raft_.JoinCluster(asio::use_future); }

void BenchNode::AwaitReady() {
  try {
    joined_.get();
  } catch (const std::exception& problem) {
    throw std::runtime_error(std::string(problem.what()) + ": " + raft_.JoinDetail());
  }
  for (std::uint32_t id = 1; id <= partitions_; ++id)
    raft_.WaitForLeader(id, asio::use_future).get();
}

void BenchNode::StartLoad(Call call) {
  OnThread([this, call] { load_.Start(call); });
}

void BenchNode::BeginMeasuring() {
  OnThread([this] {
    begin_ = std::chrono::steady_clock::now();
    wal_begin_ = raft_.GetWalStatistics();
    transport_begin_ = raft_.GetTransportStatistics();
    load_.BeginMeasuring();
  });
}

NodeReport BenchNode::EndMeasuring() {
  return OnThread([this] {
    NodeReport report = load_.EndMeasuring();
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
    const WalStatistics wal = raft_.GetWalStatistics();
    const TransportStatistics transport = raft_.GetTransportStatistics();
    report.elapsed_seconds = elapsed.count();
    report.syncs = wal.syncs - wal_begin_.syncs;
    report.bytes_written = wal.bytes_written - wal_begin_.bytes_written;
    report.messages_sent = transport.messages_sent - transport_begin_.messages_sent;
    report.transport_writes = transport.writes - transport_begin_.writes;
    return report;
  });
}

void BenchNode::StopLoad() {
  OnThread([this] { load_.Stop(); });
}

void BenchNode::Stop() {
  if (!work_.owns_work()) return;
  StopLoad();
  raft_.Stop(asio::use_future).get();
  work_.reset();
}

}  // namespace kommander::bench
