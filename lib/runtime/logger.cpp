#include "runtime/logger.hpp"

namespace kommander::runtime {

std::optional<std::uint64_t> Logger::Admit(const Key& key) {
  const Instant now = clock_->Now();
  const detail::MutexLock lock(mutex_);
  if (pairs_.size() >= kPairsMax) pairs_.clear();
  const auto [place, is_new] = pairs_.try_emplace(key);
  Pair& pair = place->second;
  if (!is_new && now - pair.told < interval_) {
    ++pair.suppressed;
    return std::nullopt;
  }
  pair.told = now;
  return std::exchange(pair.suppressed, 0);
}

void Logger::LogAspect(LogLevel level, std::string_view event, std::string_view aspect,
                       std::optional<PartitionId> partition,
                       std::initializer_list<LogField> fields) noexcept {
  if (!Wants(level)) return;
  try {
    const auto suppressed = Admit({event, aspect, partition});
    if (!suppressed) return;
    LogRecord record;
    record.level = level;
    record.event = event;
    record.node = node_;
    record.partition = partition;
    record.fields = {fields.begin(), fields.size()};
    record.suppressed = *suppressed;
    sink_(record);
  } catch (...) {  // NOLINT: a log that fails is no reason to fail
  }
}

}  // namespace kommander::runtime
