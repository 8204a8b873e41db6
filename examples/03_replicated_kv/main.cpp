// kommander-kv: a linearizable key/value service, as an example of how one is written with the
// library. Here are its options and how the parts meet; read on in kv_store.hpp (the state
// machine), kv_request.hpp (the routes), kv_service.hpp (how a write and a read go) and http.hpp.
#include <csignal>
#include <filesystem>
#include <iostream>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>

#include <kommander/file_snapshots.hpp>
#include <kommander/memory_snapshots.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/rest_transport.hpp>
#include <kommander/rocksdb_wal.hpp>
#include <kommander/sqlite_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>

#include "kv_service.hpp"

namespace kv {

struct Options {
  RaftConfiguration raft;
  std::map<NodeId, Peer> peers;  // every node, this one too
  std::string data_directory, wal = "rocksdb", transport = "tcp";
  std::uint32_t request_timeout_ms = 2000;
};

NodeAddress ParseMember(const std::string& text, Options& options) {
  const std::size_t equals = std::min(text.find('='), text.size() - 1);
  const std::size_t slash = std::min(text.find('/'), text.size() - 1);
  const NodeId id(ParseNumber<std::uint32_t>(text.substr(0, equals)).value_or(0));
  const auto raft = Endpoint::Parse(text.substr(equals + 1, slash - equals - 1));
  const auto http = Endpoint::Parse(text.substr(slash + 1));
  if (!id || !raft || raft->port == 0 || !http || http->port == 0) {
    throw CLI::ValidationError("--cluster", "'" + text + "' is not ID=HOST:PORT/HOST:PORT");
  }
  options.peers[id].http = *http;
  return {id, *raft};
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  std::uint32_t id = 0, partitions = 4, election_ms = 300;
  std::uint64_t snapshot_entries = options.raft.snapshot_entries();
  std::string cluster_id = "kv";
  std::vector<std::string> cluster;
  CLI::App app("A linearizable key/value service on Kommander, spoken to over HTTP.");
  app.option_defaults()->always_capture_default();
  app.add_option("--id", id, "This node, one of --cluster")->required();
  app.add_option("--cluster", cluster, "All: ID=RAFT_HOST:PORT/HTTP_HOST:PORT,...")
      ->required()
      ->delimiter(',');
  app.add_option("--data-dir", options.data_directory, "Where the log lives; created")->required();
  app.add_option("--cluster-id", cluster_id, "Nodes of another cluster are refused");
  app.add_option("--partitions", partitions, "Raft groups")->check(CLI::Range(1, 65535));
  app.add_option("--wal", options.wal)->check(CLI::IsMember({"rocksdb", "sqlite", "memory"}));
  app.add_option("--transport", options.transport, "Of RAFT_HOST:PORT; the same on every node")
      ->check(CLI::IsMember({"tcp", "rest"}));
  app.add_option("--snapshot-entries", snapshot_entries, "Between two; 0: for who needs one");
  app.add_option("--election-timeout-ms", election_ms)->check(CLI::Range(10, 300000));
  app.add_option("--request-timeout-ms", options.request_timeout_ms)->check(CLI::Range(1, 3600000));
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    std::exit(app.exit(help));
  }

  std::vector<NodeAddress> members;
  for (const std::string& member : cluster) members.push_back(ParseMember(member, options));
  const auto self = std::ranges::find(members, NodeId(id), &NodeAddress::id);
  if (self == members.end()) throw CLI::ValidationError("--id", "--cluster does not name it");
  options.raft.Id(self->id)
      .ClusterId(cluster_id)
      .Listen(self->endpoint)
      .InitialMembers(members)
      .InitialPartitions(partitions)
      .ElectionTimeout(std::chrono::milliseconds(election_ms))
      .SnapshotEntries(snapshot_entries)
      .JoinTimeout(0s)           // for ever
      .EntryBytesMax(15u << 20)  // as much as the largest body
      .InflightBytesMax(15u << 20);
  // With few, a log goes no further back than its snapshots.
  if (snapshot_entries > 0 && snapshot_entries < options.raft.compaction_step()) {
    options.raft.CompactionStep(snapshot_entries).RetainedEntries(snapshot_entries);
  }
  return options;
}

tcp::acceptor MakeAcceptor(asio::io_context& context, const Endpoint& endpoint) try {
  tcp::resolver resolver(context);
  return {context, *resolver.resolve(endpoint.host, std::to_string(endpoint.port)).begin()};
} catch (const boost::system::system_error& error) {
  throw std::runtime_error("no HTTP at " + endpoint.ToString() + ": " + error.code().message());
}

void Report(const std::string& problem) { std::cerr << "kommander-kv: " << problem << std::endl; }

void Run(const Options& options) {
  const auto store = std::make_shared<KvStore>();
  store->partitions.resize(options.raft.initial_partitions() + 1);
  store->on_unknown = [](const RaftLog& log) {
    Report("an unknown entry at index " + std::to_string(log.index().value()));
  };
  asio::io_context context(1);
  asio::signal_set signals(context, SIGTERM, SIGINT);
  // The log, the snapshots and the transport are parts to choose, or to bring.
  std::shared_ptr<Wal> wal = std::make_shared<MemoryWal>();
  std::shared_ptr<SnapshotStore> snapshots = MakeMemorySnapshots();
  if (options.wal == "rocksdb") wal = MakeRocksDbWal(RocksDbWalOptions(options.data_directory));
  if (options.wal == "sqlite") wal = MakeSqliteWal(SqliteWalOptions(options.data_directory));
  if (options.wal == "memory") std::filesystem::create_directories(options.data_directory);
  if (options.wal != "memory") snapshots = MakeFileSnapshots(options.data_directory + "/snapshots");
  const auto seed = options.raft.id().value();  // nodes that lost one do not come back as one
  std::shared_ptr<Transport> transport =
      std::make_shared<TcpTransport>(MakeSteadyClock(), TcpTransportOptions().Seed(seed));
  if (options.transport == "rest") {
    transport =
        std::make_shared<RestTransport>(MakeSteadyClock(), RestTransportOptions().Seed(seed));
  }
  RaftManager raft(context.get_executor(), options.raft, wal, transport,
                   std::make_shared<StaticDiscovery>(options.raft.initial_members()));

  raft.UseStateMachine(store).UseSnapshots(snapshots);
  raft.OnNodeError([](const error_code&, const std::string& problem) { Report(problem); });
  raft.UseLogSink([](const LogRecord& record) { std::clog << ToLogfmt(record) + '\n'; },
                  LogLevel::kWarning);

  KvService service{raft, *store, options.peers,
                    std::chrono::milliseconds(options.request_timeout_ms)};
  const auto handle = [&service](const Request* request) { return service.Handle(request); };
  auto acceptor = MakeAcceptor(context, options.peers.at(raft.id()).http);
  asio::co_spawn(context, Listen(std::move(acceptor), handle), Rethrow);
  raft.JoinCluster([&raft](error_code error) {
    if (!error || error == RaftErrc::NodeStopped) return;
    const std::string detail = raft.JoinDetail();
    throw std::runtime_error(detail.empty() ? error.message() : detail);
  });
  signals.async_wait([&](error_code, int) {
    // What was acknowledged is on disk: a stop that takes too long may be cut short at any point.
    std::signal(SIGALRM, [](int) {
      constexpr std::string_view kCut = "kommander-kv: the stop took too long and was cut short\n";
      (void)!::write(STDERR_FILENO, kCut.data(), kCut.size());
      _exit(0);
    });
    alarm(4);
    raft.Stop([&context](error_code) { context.stop(); });  // after all that wait were answered
  });
  context.run();
}

}  // namespace kv

int main(int argc, char** argv) {
  try {
    kv::Run(kv::ParseOptions(argc, argv));
    return 0;
  } catch (const std::exception& problem) {
    kv::Report(problem.what());
    return 1;
  }
}
