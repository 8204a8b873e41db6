#include "runtime/node_services.hpp"

namespace kommander::runtime {
namespace {

template <class Ask>
std::optional<LogIndex> AskSafely(NodeServices& services, Ask ask) noexcept {
  const HandlerGate::Pass pass(services.gate);
  if (!pass) return std::nullopt;
  try {
    return ask();
  } catch (...) {  // NOLINT: the contract: an exception says nothing
    return std::nullopt;
  }
}

}  // namespace

void NoteDisk(NodeServices& services, bool is_full) noexcept {
  // Asked for every proposal, and changed almost never.
  if (services.disk_full.load(std::memory_order_relaxed) == is_full) return;
  if (services.disk_full.exchange(is_full) == is_full) return;
  services.logger.Log(is_full ? LogLevel::kWarning : LogLevel::kInfo,
                      is_full ? "disk_full" : "disk_has_room", std::nullopt,
                      {{"free_bytes_min", services.configuration.free_bytes_min()}});
}

void NoteStampAhead(NodeServices& services, const Message& message,
                    std::uint64_t wall_ms) noexcept {
  services.stamps_ahead.fetch_add(1, std::memory_order_relaxed);
  services.logger.Log(LogLevel::kWarning, "clock_ahead", std::nullopt,
                      {{"from", std::uint64_t{message.from.value()}},
                       {"ms", message.stamp.physical_ms() - wall_ms}});
}

std::optional<LogIndex> AskAppliedIndex(NodeServices& services, PartitionId partition) noexcept {
  return AskSafely(services, [&] { return services.state_machine->AppliedIndex(partition); });
}

std::optional<LogIndex> AskDurableIndex(NodeServices& services, PartitionId partition) noexcept {
  return AskSafely(services, [&] { return services.handlers.durable_index(partition); });
}

}  // namespace kommander::runtime
