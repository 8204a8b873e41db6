// Nodes that talk through a transport under test: threads, hosts that write everything down, and
// waits that end.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>

#include <kommander/clock.hpp>
#include <kommander/transport.hpp>

namespace kommander::conformance {

struct TransportLimits {
  std::size_t queue_bytes = 64u << 20;
  Duration handshake_timeout = std::chrono::seconds(5);
};

// A way to carry messages, as its own program makes it.
class TransportBackend {
 public:
  virtual ~TransportBackend() = default;
  virtual std::shared_ptr<Transport> Create(std::shared_ptr<Clock> clock) = 0;
  // Where nobody listens yet.
  virtual Endpoint FreshEndpoint() = 0;
  // Where a transport that was started on `asked` can be reached.
  virtual Endpoint Bound(Transport& transport, Endpoint asked) = 0;
};
// Defined by the test program of a backend.
std::unique_ptr<TransportBackend> MakeTransportBackend(TransportLimits limits);

// What runs a node's handlers. Joins in its destructor: what is left behind hangs the test.
enum class Threads { kContext1, kContext4, kPool };
const char* Name(Threads threads);
class Runner {
 public:
  virtual ~Runner() = default;
  [[nodiscard]] virtual boost::asio::any_io_executor executor() = 0;
};
std::unique_ptr<Runner> MakeRunner(Threads threads);

// Tells what it was told. Thread-safe.
class RecordingHost final : public TransportHost {
 public:
  using Verdict = std::function<void(error_code)>;
  using Policy = std::function<error_code(const Hello& hello, NodeId dialled)>;

  explicit RecordingHost(Hello hello) : hello_(std::move(hello)) {}

  void Change(const std::function<void(Hello&)>& change);
  void SetPolicy(Policy policy);
  // Keeps verdicts until Release; those kept are given by the thread that releases.
  void HoldVerdicts();
  void ReleaseVerdicts();
  // From now on every call is a mistake.
  void ExpectSilence();

  Hello LocalHello(NodeId peer) const override;
  void Judge(Hello hello, NodeId dialled, Verdict verdict) override;
  void OnMessages(NodeId from, std::vector<Message> messages) override;
  void OnPeerDown(NodeId peer, error_code reason) override;
  void OnRefused(NodeId peer, error_code reason) override;

  [[nodiscard]] std::vector<Message> messages() const;  // without probes
  [[nodiscard]] std::size_t batches() const;
  [[nodiscard]] std::size_t probes() const;
  [[nodiscard]] std::size_t held_verdicts() const;
  [[nodiscard]] std::size_t judged() const;
  [[nodiscard]] std::vector<std::pair<NodeId, error_code>> downs() const;
  [[nodiscard]] bool WasDown(NodeId peer, error_code reason) const;
  [[nodiscard]] std::vector<std::pair<NodeId, error_code>> refusals() const;
  [[nodiscard]] bool WasRefused(NodeId peer, error_code reason) const;
  [[nodiscard]] std::size_t calls_in_silence() const;
  void Forget();

  // Until the predicate holds after some call, or for at most `limit`.
  bool Wait(const std::function<bool()>& predicate,
            Duration limit = std::chrono::seconds(30)) const;

 private:
  void Note() const;
  mutable std::recursive_mutex mutex_;
  mutable std::condition_variable_any changed_;
  Hello hello_;
  Policy policy_;
  bool hold_ = false;
  bool silence_ = false;
  std::vector<Verdict> held_;
  std::vector<Message> messages_;
  std::size_t batches_ = 0;
  std::size_t probes_ = 0;
  std::size_t judged_ = 0;
  std::vector<std::pair<NodeId, error_code>> downs_;
  std::vector<std::pair<NodeId, error_code>> refusals_;
  mutable std::size_t calls_in_silence_ = 0;
};

// One node: a runner, a host and a transport. Stops in its destructor, unless told otherwise.
class TestNode {
 public:
  TestNode(TransportBackend& backend, Threads threads, NodeId id,
           std::shared_ptr<Clock> clock = nullptr);
  ~TestNode();
  TestNode(const TestNode&) = delete;
  TestNode& operator=(const TestNode&) = delete;

  [[nodiscard]] NodeId id() const { return id_; }
  [[nodiscard]] RecordingHost& host() { return *host_; }
  [[nodiscard]] Transport& transport() { return *transport_; }
  [[nodiscard]] Runner& runner() { return *runner_; }
  [[nodiscard]] Endpoint endpoint() const { return endpoint_; }

  void Start();
  // Stops, waits for the end, and sees to it that the host is left alone afterwards.
  void Stop();
  // Lets go of the transport without stopping it.
  void Drop();
  // A new transport and a new host on the old address.
  void Restart(Incarnation incarnation);
  void Dial(const TestNode& peer) { transport_->SetPeer(peer.id(), peer.endpoint()); }
  // Sends probes until one has arrived.
  [[nodiscard]] bool Reach(TestNode& peer, Duration limit = std::chrono::seconds(30));

 private:
  TransportBackend& backend_;
  NodeId id_;
  std::shared_ptr<Clock> clock_;
  std::unique_ptr<Runner> runner_;
  std::shared_ptr<RecordingHost> host_;
  std::shared_ptr<Transport> transport_;
  Endpoint endpoint_;
  bool has_endpoint_ = false;
};

Hello MakeHello(NodeId node, Incarnation incarnation);
// What Reach sends; hosts count them apart.
Message MakeProbe(NodeId from, NodeId to);
Message MakeHeartbeat(NodeId from, NodeId to, PartitionId partition, std::uint64_t round);
Message MakeAppend(NodeId from, NodeId to, PartitionId partition, std::uint64_t index,
                   std::size_t body_bytes);

}  // namespace kommander::conformance
