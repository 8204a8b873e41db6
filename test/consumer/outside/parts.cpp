// Every part that has a header is in the archive, and what it needs is linked.
//   parts FOLDER
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>

#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_configuration.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/wal.hpp>
#if __has_include(<kommander/configuration_file.hpp>)
#include <kommander/configuration_file.hpp>
#endif
#if __has_include(<kommander/multicast_discovery.hpp>)
#include <kommander/multicast_discovery.hpp>
#endif
#if __has_include(<kommander/raft_routes.hpp>)
#include <kommander/raft_routes.hpp>
#endif
#if __has_include(<kommander/rocksdb_wal.hpp>)
#include <kommander/rocksdb_wal.hpp>
#endif
#if __has_include(<kommander/sqlite_wal.hpp>)
#include <kommander/sqlite_wal.hpp>
#endif
#if __has_include(<kommander/tcp_transport.hpp>)
#include <kommander/tcp_transport.hpp>
#endif
using namespace kommander;

namespace {

bool ReadsConfiguration() {
  RaftConfiguration configuration;
#if __has_include(<kommander/configuration_file.hpp>)
  return ReadConfiguration("{\"id\": 7}", configuration).empty() && configuration.id() == NodeId(7);
#else
  return !configuration.Validate().empty();
#endif
}

[[maybe_unused]] bool Keeps(const std::shared_ptr<Wal>& wal) {
  std::optional<StoreIdentity> identity;
  std::string detail;
  std::optional<Payload> value;
  if (wal->Open(identity, detail) || wal->PutMetadata("key", Payload("text"))) return false;
  const bool is_good = !wal->GetMetadata("key", value) && value->text() == "text";
  wal->Close();
  return is_good;
}

bool KeepsLogs([[maybe_unused]] const std::string& folder) {
#if __has_include(<kommander/rocksdb_wal.hpp>)
  if (!Keeps(MakeRocksDbWal(RocksDbWalOptions(folder + "/rocksdb")))) return false;
#endif
#if __has_include(<kommander/sqlite_wal.hpp>)
  if (!Keeps(MakeSqliteWal(SqliteWalOptions(folder + "/sqlite")))) return false;
#endif
  return true;
}

bool HasTransport() {
#if __has_include(<kommander/tcp_transport.hpp>)
  return std::make_shared<TcpTransport>(MakeSteadyClock()) != nullptr;
#else
  return true;
#endif
}

bool HasDiscovery() {
#if __has_include(<kommander/multicast_discovery.hpp>)
  MulticastOptions options("outside", NodeId(1), Endpoint("10.0.0.1", 7001));
  return MulticastDiscovery(MakeSteadyClock(), options.AllowUnauthenticated()).Nodes().empty();
#else
  return true;
#endif
}

bool AnswersOverHttp() {
#if __has_include(<kommander/raft_routes.hpp>)
  boost::asio::io_context context;
  const NodeAddress self(NodeId(1), Endpoint("node", 1));
  const RaftManager raft(
      context.get_executor(),
      RaftConfiguration().Id(self.id).Listen(self.endpoint).InitialMembers({self}),
      std::make_shared<MemoryWal>(), MemoryNetwork::Create()->CreateTransport(MakeSteadyClock()),
      nullptr);
  unsigned status = 0;
  RaftRoutes(raft).Handle(RestRequest("GET", "/healthz"),
                          [&status](const RestAnswer& answer) { status = answer.status; });
  return status == 200;
#else
  return true;
#endif
}

}  // namespace

int main(int argc, char** argv) {
  const bool works = argc == 2 && ReadsConfiguration() && KeepsLogs(argv[1]) && HasTransport();
  return works && HasDiscovery() && AnswersOverHttp() ? 0 : 1;
}
