// A state machine that costs next to nothing, so that what is measured is the library.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <kommander/state_machine.hpp>

namespace kommander::bench {

// Counts what it is given. Its images have so many bytes, the same ones each time.
class CountingState final : public StateMachine {
 public:
  explicit CountingState(std::size_t image_bytes = 0)
      : image_(std::make_shared<std::vector<std::byte>>(image_bytes)) {
    std::mt19937_64 random(1);
    for (std::byte& byte : *image_) byte = static_cast<std::byte>(random() & 0xFF);
  }

  bool Apply(std::span<const RaftLog> logs) override {
    applied_.fetch_add(logs.size(), std::memory_order_relaxed);
    return true;
  }
  std::shared_ptr<SnapshotImage> Capture(PartitionId) override {
    return std::make_shared<Image>(image_);
  }
  boost::asio::awaitable<bool> Import(PartitionId, SnapshotSource& source) override {
    std::uint64_t bytes = 0;
    for (Payload part = co_await source.Read(); part.size() != 0; part = co_await source.Read()) {
      bytes += part.size();
    }
    imported_bytes_ = bytes;
    co_return true;
  }

  [[nodiscard]] std::uint64_t applied() const noexcept { return applied_; }  // payloads
  [[nodiscard]] std::uint64_t imported_bytes() const noexcept { return imported_bytes_; }

 private:
  using Bytes = std::shared_ptr<std::vector<std::byte>>;
  class Image final : public SnapshotImage {
   public:
    explicit Image(Bytes bytes) : bytes_(std::move(bytes)) {}
    boost::asio::awaitable<void> Write(SnapshotSink& sink) override {
      constexpr std::size_t kPart = std::size_t{1} << 20;
      for (std::size_t at = 0; at < bytes_->size(); at += kPart) {
        const ByteSpan rest = ByteSpan(*bytes_).subspan(at);
        co_await sink.Write(Payload(bytes_, rest.first(std::min(rest.size(), kPart))));
      }
    }

   private:
    Bytes bytes_;
  };

  Bytes image_;
  std::atomic<std::uint64_t> applied_{0};
  std::atomic<std::uint64_t> imported_bytes_{0};
};

}  // namespace kommander::bench
