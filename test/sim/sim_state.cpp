// Positions, and the bytes that stand for them.
#include "sim_state.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>
#include <xxhash.h>

namespace kommander::sim {

namespace asio = boost::asio;

namespace {

constexpr std::size_t kHeadBytes = 3 * sizeof(std::uint64_t);  // index, count, hash of the rest
constexpr std::size_t kSmallMax = 4096;
// More than a transfer may have on its way.
constexpr std::size_t kLargeMax = std::size_t{6} << 20;
constexpr std::size_t kPieceMax = std::size_t{1} << 18;

class Image final : public SnapshotImage {
 public:
  explicit Image(std::vector<std::byte> bytes)
      : bytes_(std::make_shared<const std::vector<std::byte>>(std::move(bytes))) {}
  asio::awaitable<void> Write(SnapshotSink& sink) override {
    for (std::size_t at = 0; at < bytes_->size(); at += kPieceMax) {
      const ByteSpan rest = ByteSpan(*bytes_).subspan(at);
      co_await sink.Write(Payload(bytes_, rest.first(std::min(rest.size(), kPieceMax))));
    }
  }

 private:
  std::shared_ptr<const std::vector<std::byte>> bytes_;
};

}  // namespace

SimState::Position SimState::Find(const Positions& positions, PartitionId partition) {
  const auto found = positions.find(partition);
  return found == positions.end() ? Position() : found->second;
}

void SimState::Deliver(const RaftLog& log, bool has_disk) {
  Position& now = now_[log.partition()];
  const bool is_next = log.index() != now.index;
  if (has_disk && is_next && now.index && chance_.OneIn(16)) kept_[log.partition()] = now;
  now.index = log.index();
  ++now.count;
}

void SimState::Import(PartitionId partition, const Position& position, bool has_disk) {
  now_[partition] = position;
  if (has_disk) kept_[partition] = position;
}

std::optional<LogIndex> SimState::KeptUpTo(PartitionId partition) const {
  const auto found = kept_.find(partition);
  return found == kept_.end() ? std::nullopt : std::optional(found->second.index);
}

std::shared_ptr<SnapshotImage> SimState::Capture(PartitionId partition) {
  const Position position = At(partition);
  const std::size_t more = chance_.Below(chance_.OneIn(40) ? kLargeMax : kSmallMax);
  std::vector<std::byte> bytes(kHeadBytes + more, static_cast<std::byte>(chance_.Below(256)));
  const std::uint64_t head[] = {position.index.value(), position.count,
                                XXH3_64bits(bytes.data() + kHeadBytes, more)};
  static_assert(sizeof head == kHeadBytes);
  std::memcpy(bytes.data(), head, sizeof head);
  return std::make_shared<Image>(std::move(bytes));
}

std::optional<SimState::Position> SimState::Read(ByteSpan image) {
  std::uint64_t head[3];
  if (image.size() < sizeof head) return std::nullopt;
  std::memcpy(head, image.data(), sizeof head);
  const ByteSpan rest = image.subspan(sizeof head);
  if (XXH3_64bits(rest.data(), rest.size()) != head[2]) return std::nullopt;
  return Position{LogIndex(head[0]), head[1]};
}

}  // namespace kommander::sim
