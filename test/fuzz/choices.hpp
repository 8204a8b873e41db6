// An input read as a sequence of choices, for targets that build values instead of decoding bytes.
// Past the end every choice is the first one, so every input means something.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <kommander/configuration.hpp>
#include <kommander/payload.hpp>

namespace kommander::fuzz {

class Choices {
 public:
  explicit Choices(ByteSpan input) noexcept : rest_(input) {}

  [[nodiscard]] bool AtEnd() const noexcept { return rest_.empty(); }
  [[nodiscard]] ByteSpan rest() const noexcept { return rest_; }

  [[nodiscard]] std::uint8_t Byte() noexcept {
    if (rest_.empty()) return 0;
    const auto byte = std::to_integer<std::uint8_t>(rest_.front());
    rest_ = rest_.subspan(1);
    return byte;
  }
  [[nodiscard]] bool Coin() noexcept { return (Byte() & 1) != 0; }
  // Less than `bound`, which is at most 256.
  [[nodiscard]] std::size_t Below(std::size_t bound) noexcept { return Byte() % bound; }
  // Small values in one byte, those at the far end in two, all others in nine.
  [[nodiscard]] std::uint64_t Number() noexcept {
    const std::uint8_t first = Byte();
    if (first < 0xf0) return first;
    if (first < 0xf8) return ~std::uint64_t{0} - Byte();
    std::uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = (value << 8) | Byte();
    return value;
  }
  [[nodiscard]] std::uint32_t Number32() noexcept { return static_cast<std::uint32_t>(Number()); }
  [[nodiscard]] ByteSpan Bytes(std::size_t count_max) noexcept {
    const std::size_t count = std::min<std::size_t>({Byte(), count_max, rest_.size()});
    const ByteSpan bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return bytes;
  }
  [[nodiscard]] std::string Text(std::size_t count_max) {
    return std::string(AsText(Bytes(count_max)));
  }
  [[nodiscard]] std::vector<NodeId> Nodes(std::size_t count_max) {
    std::vector<NodeId> nodes(Below(count_max + 1));
    for (NodeId& node : nodes) node = NodeId(Number32());
    return nodes;
  }
  [[nodiscard]] kommander::Configuration Configuration() {
    auto voters = Nodes(6);
    auto learners = Nodes(3);
    return kommander::Configuration(std::move(voters), std::move(learners), Nodes(6));
  }

 private:
  ByteSpan rest_;
};

}  // namespace kommander::fuzz
