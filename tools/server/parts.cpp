#include "parts.hpp"

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
#include <kommander/tcp_transport.hpp>
#ifdef KOMMANDER_SERVER_ROCKSDB
#include <kommander/rocksdb_wal.hpp>
#endif
#ifdef KOMMANDER_SERVER_SQLITE
#include <kommander/sqlite_wal.hpp>
#endif
#ifdef KOMMANDER_SERVER_MULTICAST
#include <kommander/multicast_discovery.hpp>
#endif
#ifdef KOMMANDER_SERVER_REST
#include <kommander/rest_server.hpp>
#include <kommander/rest_transport.hpp>
#endif

namespace kommander::server {
namespace {

std::shared_ptr<Wal> MakeWal(const Options& options) {
#ifdef KOMMANDER_SERVER_ROCKSDB
  if (options.wal == "rocksdb") return MakeRocksDbWal(RocksDbWalOptions(options.data_directory));
#endif
#ifdef KOMMANDER_SERVER_SQLITE
  if (options.wal == "sqlite") {
    return MakeSqliteWal(SqliteWalOptions(options.data_directory)
                             .Shards(static_cast<std::uint32_t>(options.sqlite_shards)));
  }
#endif
  return std::make_shared<MemoryWal>();
}

std::shared_ptr<Transport> MakeTransport(const Options& options) {
#ifdef KOMMANDER_SERVER_REST
  if (options.transport == "rest") {
    return std::make_shared<RestTransport>(MakeSteadyClock(),
                                           RestTransportOptions().Seed(options.raft.id().value()));
  }
#endif
  return std::make_shared<TcpTransport>(MakeSteadyClock(),
                                        TcpTransportOptions().Seed(options.raft.id().value()));
}

#ifdef KOMMANDER_SERVER_MULTICAST
// The first line of the file.
std::string ReadSecret(const std::string& path) {
  std::ifstream file(path);
  std::string secret;
  if (!std::getline(file, secret)) {
    throw std::runtime_error("multicast_secret_file: " + path + " cannot be read, or is empty");
  }
  return secret;
}

MulticastOptions MulticastOf(const Options& options) {
  const bool is_announced = !options.announce.host.empty();
  MulticastOptions multicast(options.raft.cluster_id(), options.raft.id(),
                             is_announced ? options.announce : options.raft.listen());
  multicast.Interface(options.multicast_interface);
  if (options.multicast_group.find(':') != std::string::npos) {
    multicast.GroupV4("").GroupV6(options.multicast_group);
  } else if (!options.multicast_group.empty()) {
    multicast.GroupV4(options.multicast_group);
  }
  if (options.multicast_port != 0) {
    multicast.Port(static_cast<std::uint16_t>(options.multicast_port));
  }
  if (!options.multicast_secret_file.empty()) {
    multicast.Secret(ReadSecret(options.multicast_secret_file));
  } else if (options.allow_unprotected) {
    multicast.AllowUnauthenticated();
  }
  return multicast;
}

void AddMulticast(const boost::asio::any_io_executor& executor, const Options& options,
                  Parts& parts) {
  const auto discovery =
      std::make_shared<MulticastDiscovery>(MakeSteadyClock(), MulticastOf(options));
  std::string detail;
  if (discovery->Start(executor, detail)) throw std::runtime_error("multicast: " + detail);
  parts.discovery = discovery;
  parts.stop_discovery = [discovery] { discovery->Stop({}); };
}
#endif

}  // namespace

#ifdef KOMMANDER_SERVER_REST
class HttpPart::Server {
 public:
  Server(const RaftManager& raft, const Endpoint& listen)
      : rest_(raft.get_executor(), MakeSteadyClock(), RaftRoutes(raft)) {
    std::string detail;
    if (rest_.Start(listen, detail)) throw std::runtime_error("http_listen: " + detail);
  }
  RestServer& rest() { return rest_; }

 private:
  RestServer rest_;
};

HttpPart::HttpPart(const RaftManager& raft, const Options& options) {
  if (options.http_listen.host.empty()) return;
  server_ = std::make_unique<Server>(raft, options.http_listen);
}
boost::asio::awaitable<void> HttpPart::Stop() {
  if (server_ != nullptr) co_await server_->rest().Stop();
}
#else
class HttpPart::Server {};
HttpPart::HttpPart(const RaftManager&, const Options&) {}
boost::asio::awaitable<void> HttpPart::Stop() { co_return; }
#endif
HttpPart::~HttpPart() = default;

Parts MakeParts(const boost::asio::any_io_executor& executor, const Options& options) {
  Parts parts;
  parts.wal = MakeWal(options);
  parts.transport = MakeTransport(options);
  parts.discovery = std::make_shared<StaticDiscovery>(options.raft.initial_members());
#ifdef KOMMANDER_SERVER_MULTICAST
  if (options.discovery == "multicast") AddMulticast(executor, options, parts);
#else
  (void)executor;
#endif
  return parts;
}

}  // namespace kommander::server
