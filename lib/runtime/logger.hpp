// Between what happens and the application's function for log records: tells of one event in one
// partition at most once in an interval, and counts what it left out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include <kommander/clock.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/logging.hpp>
#include <kommander/time.hpp>

namespace kommander::runtime {

class Logger {
 public:
  // Pairs of event and partition, or aspects of them, that are remembered; beyond it all are
  // forgotten at once, so that too much is told rather than too little.
  static constexpr std::size_t kPairsMax = 4096;

  explicit Logger(NodeId node) noexcept : node_(node) {}

  // Before anything is logged; records below `least` are not made, those of one event and partition
  // not twice in an interval.
  void SetSink(LogSink sink, LogLevel least, Duration interval,
               std::shared_ptr<const Clock> clock) {
    sink_ = std::move(sink);
    least_ = least;
    interval_ = interval;
    clock_ = std::move(clock);
  }
  [[nodiscard]] bool Wants(LogLevel level) const noexcept { return sink_ && level >= least_; }

  // Thread-safe. `event` is a literal.
  void Log(LogLevel level, std::string_view event, std::optional<PartitionId> partition,
           std::initializer_list<LogField> fields = {}) noexcept {
    LogAspect(level, event, {}, partition, fields);
  }
  // Each aspect of an event, a literal too, has an interval of its own: the loud one of several
  // must not hide the others.
  void LogAspect(LogLevel level, std::string_view event, std::string_view aspect,
                 std::optional<PartitionId> partition,
                 std::initializer_list<LogField> fields) noexcept;
  [[nodiscard]] std::size_t pairs() {
    const detail::MutexLock lock(mutex_);
    return pairs_.size();
  }

 private:
  struct Pair {
    Instant told{};
    std::uint64_t suppressed = 0;
  };
  using Key = std::tuple<std::string_view, std::string_view, std::optional<PartitionId>>;
  // How many came before it that were left out; none: so is this one.
  std::optional<std::uint64_t> Admit(const Key& key);

  const NodeId node_;
  Duration interval_{};
  std::shared_ptr<const Clock> clock_;
  LogSink sink_;
  LogLevel least_ = LogLevel::kInfo;
  detail::Mutex mutex_;
  std::map<Key, Pair> pairs_ KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace kommander::runtime
