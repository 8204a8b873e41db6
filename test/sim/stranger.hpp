// Somebody outside the cluster who reads its traffic and speaks its language: hands nodes messages
// that were never sent, or were, to somebody else or long ago, without having done a handshake.
// Nothing of it may be heard. What the stranger says carries marks that any disk would show.
#pragma once

#include <cstdint>
#include <vector>

#include <kommander/messages.hpp>

#include "chance.hpp"
#include "sim_network.hpp"
#include "world.hpp"

namespace kommander::sim {

class Stranger {
 public:
  // No term of a run comes near it, not even where a liar leads the cluster up in leaps; all that
  // the stranger makes up are above.
  static constexpr Term kMark{std::uint64_t{1} << 60};

  Stranger(World& world, SimNetwork& network, std::uint32_t nodes, std::uint32_t partitions);

  // Speaks now and then until `end`.
  void Begin(Instant end);

 private:
  void Listen(const Message& message);
  void Speak();
  [[nodiscard]] Message MakeUp();
  [[nodiscard]] MessageBody AnyBody();
  [[nodiscard]] NodeId AnyNode();
  [[nodiscard]] std::uint64_t AnyNumber();
  void Alter(Message& message);

  World& world_;
  SimNetwork& network_;
  const std::uint32_t nodes_;
  const std::uint32_t partitions_;
  Chance chance_;
  Process process_;
  std::vector<Message> heard_;
};

}  // namespace kommander::sim
