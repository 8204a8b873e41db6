// Keeps entries of a log from being removed, for as long as somebody reads them.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <kommander/detail/export.hpp>

namespace kommander {

namespace detail {
// Told that a hold has ended: only enqueues, from any thread.
class KOMMANDER_EXPORT HoldSink {
 public:
  virtual ~HoldSink() = default;
  virtual void Release(std::uint64_t hold) noexcept = 0;
};
}  // namespace detail

// From RaftManager::AcquireRetentionHold. In force until Release or the end of its life; of
// several, each counts. Of one process: it is gone with a restart. Movable, not thread-safe.
class RetentionHold {
 public:
  RetentionHold() = default;
  RetentionHold(std::weak_ptr<detail::HoldSink> sink, std::uint64_t hold) noexcept
      : sink_(std::move(sink)), hold_(hold) {}
  RetentionHold(RetentionHold&& other) noexcept
      : sink_(std::move(other.sink_)), hold_(std::exchange(other.hold_, 0)) {}
  RetentionHold& operator=(RetentionHold&& other) noexcept {
    if (this != &other) {
      Release();
      sink_ = std::move(other.sink_);
      hold_ = std::exchange(other.hold_, 0);
    }
    return *this;
  }
  ~RetentionHold() { Release(); }
  [[nodiscard]] explicit operator bool() const noexcept { return hold_ != 0; }
  void Release() noexcept {
    const std::uint64_t hold = std::exchange(hold_, 0);
    if (hold == 0) return;
    if (const auto sink = sink_.lock()) sink->Release(hold);
  }

 private:
  std::weak_ptr<detail::HoldSink> sink_;
  std::uint64_t hold_ = 0;
};

}  // namespace kommander
