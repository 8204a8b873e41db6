// The compiled side of Scenario and Client: the simulated cluster without the application's type.
// Nothing here is for users to call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <boost/asio/awaitable.hpp>

#include <kommander/errors.hpp>
#include <kommander/ids.hpp>
#include <kommander/testing/node.hpp>
#include <kommander/testing/random.hpp>
#include <kommander/time.hpp>

namespace kommander::testing::detail {

class Cluster {
 public:
  // A coroutine over the application of a node.
  using Body = std::function<boost::asio::awaitable<void>(void* application)>;
  // How a call ended; no completion signature of Asio's that begins with an error_code would let an
  // awaiting coroutine have it as a value.
  struct Answer {
    error_code error;
  };

  virtual ~Cluster() = default;
  // Machines, by number; a machine whose disk is lost goes on under another node id.
  [[nodiscard]] virtual std::size_t machines() const noexcept = 0;
  [[nodiscard]] virtual NodeId NodeAt(std::size_t machine) const noexcept = 0;
  // Null while it is down.
  [[nodiscard]] virtual void* ApplicationAt(std::size_t machine) const noexcept = 0;
  // A running node that leads the partition, as far as it knows; 0: none does.
  [[nodiscard]] virtual NodeId LeaderOf(PartitionId partition) const noexcept = 0;
  [[nodiscard]] virtual std::uint32_t partitions() const noexcept = 0;
  [[nodiscard]] virtual Instant Now() const noexcept = 0;
  [[nodiscard]] virtual bool IsLoadWanted() const noexcept = 0;
  virtual void Report(std::string invariant, std::string what) = 0;
  // Both on the clients' process.
  virtual boost::asio::awaitable<void> Sleep(Duration duration) = 0;
  virtual boost::asio::awaitable<Answer> Call(NodeId node, Body body, Duration timeout) = 0;
};

// One client's number and chance.
class ClientState {
 public:
  ClientState(Cluster& owner, std::uint32_t client, Random seeded)
      : cluster(owner), number(client), random(seeded) {}
  Cluster& cluster;
  const std::uint32_t number;
  Random random;
};

// A scenario without the application's type.
class ScenarioBase {
 public:
  virtual ~ScenarioBase() = default;
  void Attach(Cluster& cluster) noexcept { cluster_ = &cluster; }
  virtual std::shared_ptr<void> Make(Node node) = 0;
  virtual boost::asio::awaitable<void> StartClient(std::shared_ptr<ClientState> state) = 0;
  virtual void Check() {}
  virtual void CheckEnd() {}

 protected:
  [[nodiscard]] Cluster& cluster() const noexcept { return *cluster_; }

 private:
  Cluster* cluster_ = nullptr;
};

}  // namespace kommander::testing::detail
