// Nodes of one process, connected without sockets: for tests, simulation and examples. The same
// handshake and the same judgement as over TCP, and faults that can be set while nodes talk.
//
//   auto network = kommander::MemoryNetwork::Create();
//   auto transport = network->CreateTransport(clock);
//   network->SetFaults(NodeId(1), NodeId(2), kommander::LinkFaults().Drop(0.1));
//
// Endpoints are names: any host and port that no other running transport of the network has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include <kommander/clock.hpp>
#include <kommander/detail/export.hpp>
#include <kommander/ids.hpp>
#include <kommander/time.hpp>
#include <kommander/transport.hpp>

namespace kommander {

// What happens to the messages of one direction between two nodes. Nothing, by default.
class LinkFaults {
 public:
  // Each message is lost with this probability, 0 to 1.
  LinkFaults& Drop(double probability) & { return Set(drop_, probability); }
  LinkFaults&& Drop(double probability) && { return std::move(Drop(probability)); }
  // Each message arrives twice with this probability, 0 to 1.
  LinkFaults& Duplicate(double probability) & { return Set(duplicate_, probability); }
  LinkFaults&& Duplicate(double probability) && { return std::move(Duplicate(probability)); }
  // Each message arrives after a time drawn from [least, most] on the receiver's clock.
  LinkFaults& Delay(Duration least, Duration most) & {
    delay_least_ = least;
    return Set(delay_most_, most);
  }
  LinkFaults&& Delay(Duration least, Duration most) && { return std::move(Delay(least, most)); }
  // A delayed message may be overtaken by later ones. Otherwise the order is kept.
  LinkFaults& Reorder(bool reorder = true) & { return Set(reorder_, reorder); }
  LinkFaults&& Reorder(bool reorder = true) && { return std::move(Reorder(reorder)); }
  // Every message is lost, and no handshake between the two succeeds. Connections stay: when the
  // cut is taken back messages flow again.
  LinkFaults& Cut(bool cut = true) & { return Set(cut_, cut); }
  LinkFaults&& Cut(bool cut = true) && { return std::move(Cut(cut)); }

  [[nodiscard]] double drop() const noexcept { return drop_; }
  [[nodiscard]] double duplicate() const noexcept { return duplicate_; }
  [[nodiscard]] Duration delay_least() const noexcept { return delay_least_; }
  [[nodiscard]] Duration delay_most() const noexcept { return delay_most_; }
  [[nodiscard]] bool reorder() const noexcept { return reorder_; }
  [[nodiscard]] bool cut() const noexcept { return cut_; }

 private:
  template <class Value>
  LinkFaults& Set(Value& field, Value value) {
    field = value;
    return *this;
  }
  double drop_ = 0;
  double duplicate_ = 0;
  Duration delay_least_{};
  Duration delay_most_{};
  bool reorder_ = false;
  bool cut_ = false;
};

// What holds for the whole network.
class MemoryNetworkOptions {
 public:
  // Of every random choice: faults and the pauses between attempts. Default 1.
  MemoryNetworkOptions& Seed(std::uint64_t seed) & { return Set(seed_, seed); }
  MemoryNetworkOptions&& Seed(std::uint64_t seed) && { return std::move(Seed(seed)); }
  // Bytes on their way from one node to another. Default 64 MiB.
  MemoryNetworkOptions& QueueBytes(std::size_t bytes) & { return Set(queue_bytes_, bytes); }
  MemoryNetworkOptions&& QueueBytes(std::size_t bytes) && { return std::move(QueueBytes(bytes)); }
  // The pause before the second attempt to connect, and the longest. Defaults 50 ms and 2 s.
  MemoryNetworkOptions& BackOff(Duration least, Duration most) & {
    back_off_least_ = least;
    return Set(back_off_most_, most);
  }
  MemoryNetworkOptions&& BackOff(Duration least, Duration most) && {
    return std::move(BackOff(least, most));
  }
  // How long a handshake may take, the hosts' judgement included. Default 5 s.
  MemoryNetworkOptions& HandshakeTimeout(Duration time) & { return Set(handshake_timeout_, time); }
  MemoryNetworkOptions&& HandshakeTimeout(Duration time) && {
    return std::move(HandshakeTimeout(time));
  }

  [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
  [[nodiscard]] std::size_t queue_bytes() const noexcept { return queue_bytes_; }
  [[nodiscard]] Duration back_off_least() const noexcept { return back_off_least_; }
  [[nodiscard]] Duration back_off_most() const noexcept { return back_off_most_; }
  [[nodiscard]] Duration handshake_timeout() const noexcept { return handshake_timeout_; }

 private:
  template <class Value>
  MemoryNetworkOptions& Set(Value& field, Value value) {
    field = value;
    return *this;
  }
  std::uint64_t seed_ = 1;
  std::size_t queue_bytes_ = 64u << 20;
  Duration back_off_least_ = std::chrono::milliseconds(50);
  Duration back_off_most_ = std::chrono::seconds(2);
  Duration handshake_timeout_ = std::chrono::seconds(5);
};

// What connects the transports that it created. Thread-safe. A transport keeps its network alive.
class KOMMANDER_EXPORT MemoryNetwork {
 public:
  [[nodiscard]] static std::shared_ptr<MemoryNetwork> Create(MemoryNetworkOptions options = {});
  virtual ~MemoryNetwork() = default;

  // One node's transport. A node that restarts takes another.
  [[nodiscard]] virtual std::shared_ptr<Transport> CreateTransport(
      std::shared_ptr<Clock> clock) = 0;

  // Replaces the faults of one direction; messages that are on their way keep their fate.
  virtual void SetFaults(NodeId from, NodeId to, LinkFaults faults) = 0;
  // For every direction that SetFaults does not name.
  virtual void SetDefaultFaults(LinkFaults faults) = 0;
  // No faults any more.
  virtual void Heal() = 0;
};

}  // namespace kommander
