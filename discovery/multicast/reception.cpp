#include "multicast/reception.hpp"

#include <chrono>

#include "multicast/signature.hpp"

namespace kommander::multicast {
namespace {

Table::Limits LimitsOf(const MulticastOptions& options) {
  Table::Limits limits;
  limits.nodes_max = options.nodes_max();
  limits.expiry = options.interval() * options.expire_after();
  limits.clock_skew = options.clock_skew();
  return limits;
}

std::uint64_t ToMilliseconds(Duration time) {
  const auto count = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
  return static_cast<std::uint64_t>(count);
}

}  // namespace

Reception::Reception(const MulticastOptions& options, std::uint64_t boot)
    : cluster_id_(options.cluster_id()),
      node_(options.node()),
      secrets_(options.secrets()),
      skew_ms_(ToMilliseconds(options.clock_skew())),
      boot_(boot),
      table_(LimitsOf(options)) {}

bool Reception::IsGenuine(const Decoded& decoded) const {
  if (secrets_.empty()) return !decoded.is_signed;
  return decoded.is_signed && IsSignedWith(secrets_, decoded.signed_bytes, decoded.signature);
}

bool Reception::IsTimely(std::uint64_t time_ms, std::uint64_t wall_ms) const {
  return time_ms > wall_ms ? time_ms - wall_ms <= skew_ms_ : wall_ms - time_ms <= skew_ms_;
}

bool Reception::Take(ByteSpan datagram, Instant now, std::uint64_t wall_ms) {
  Decoded decoded;
  std::uint64_t* dropped = nullptr;
  switch (DecodeAnnouncement(datagram, decoded)) {
    case DatagramError::kNone: break;
    case DatagramError::kOversize: dropped = &counts_.dropped_oversize; break;
    case DatagramError::kMalformed: dropped = &counts_.dropped_malformed; break;
    case DatagramError::kVersion: dropped = &counts_.dropped_version; break;
  }
  const Announcement& said = decoded.announcement;
  if (dropped == nullptr && said.cluster_id != cluster_id_) dropped = &counts_.dropped_foreign;
  if (dropped == nullptr && !IsGenuine(decoded)) dropped = &counts_.dropped_secret;
  if (dropped == nullptr && said.node.id == node_) {
    dropped = said.boot == boot_ ? &counts_.own : &counts_.dropped_own_id;
  }
  if (dropped == nullptr && !IsTimely(said.time_ms, wall_ms)) dropped = &counts_.dropped_stale;
  if (dropped != nullptr) {
    ++*dropped;
    return false;
  }
  const Table::Verdict verdict = table_.Accept(said, now);
  if (verdict == Table::Verdict::kRepeated) ++counts_.dropped_repeated;
  if (verdict == Table::Verdict::kFull) ++counts_.dropped_table_full;
  const bool is_new = verdict == Table::Verdict::kNew;
  if (is_new || verdict == Table::Verdict::kKnown) ++counts_.accepted;
  return is_new;
}

void Reception::Expire(Instant now) { counts_.expired += table_.Expire(now); }

MulticastStatistics Reception::Statistics(Instant now) const {
  MulticastStatistics statistics = counts_;
  statistics.nodes = table_.Nodes(now).size();
  return statistics;
}

}  // namespace kommander::multicast
