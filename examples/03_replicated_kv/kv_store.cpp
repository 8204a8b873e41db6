#include "kv_store.hpp"

#include <algorithm>
#include <random>
#include <utility>

namespace kv {
namespace {

// Numbers little-endian, in this order: request 8, flags 1, key size 2, expect size 4; then key,
// expect, value. Logs outlive programs: change nothing here, add a new type instead.
constexpr unsigned kConditional = 1;
constexpr unsigned kHasExpect = 2;
constexpr unsigned kHasValue = 4;
constexpr std::size_t kHeaderBytes = 15;

void Put(std::string& out, std::uint64_t number, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(number >> (8 * i));
}

std::uint64_t Take(std::string_view& in, int bytes) {
  std::uint64_t number = 0;
  for (int i = 0; i < bytes; ++i) {
    number |= std::uint64_t{static_cast<std::uint8_t>(in[static_cast<std::size_t>(i)])} << (8 * i);
  }
  in.remove_prefix(static_cast<std::size_t>(bytes));
  return number;
}

std::uint64_t RandomStart() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

}  // namespace

kommander::Payload KvCommand::Encode() const {
  const std::string_view expected = expect ? std::string_view(*expect) : std::string_view();
  const std::string_view replacement = value ? std::string_view(*value) : std::string_view();
  std::string bytes;
  bytes.reserve(kHeaderBytes + key.size() + expected.size() + replacement.size());
  Put(bytes, request, 8);
  unsigned flags = 0;
  if (conditional) flags |= kConditional;
  if (expect) flags |= kHasExpect;
  if (value) flags |= kHasValue;
  Put(bytes, flags, 1);
  Put(bytes, key.size(), 2);
  Put(bytes, expected.size(), 4);
  bytes.append(key).append(expected).append(replacement);
  return kommander::Payload(bytes);
}

std::optional<KvCommand> KvCommand::Decode(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes) return std::nullopt;
  KvCommand command;
  command.request = Take(bytes, 8);
  const std::uint64_t flags = Take(bytes, 1);
  const std::size_t key_size = Take(bytes, 2);
  const std::size_t expect_size = Take(bytes, 4);
  if (bytes.size() < key_size + expect_size) return std::nullopt;
  command.key = bytes.substr(0, key_size);
  command.conditional = (flags & kConditional) != 0;
  if ((flags & kHasExpect) != 0) command.expect = bytes.substr(key_size, expect_size);
  if ((flags & kHasValue) != 0) command.value = bytes.substr(key_size + expect_size);
  return command;
}

KvStore::KvStore(std::uint32_t partitions)
    : partitions_(partitions), next_request_(RandomStart()) {}

kommander::PartitionId KvStore::PartitionOf(std::string_view key) const noexcept {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : key) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211u;
  return static_cast<std::uint32_t>(hash % partitions_.size()) + 1;
}

bool KvStore::Apply(const kommander::RaftLog& log) {
  const std::uint32_t id = log.partition().value();
  if (id == 0 || id > partitions_.size()) return false;
  Partition& partition = partitions_[id - 1];
  if (log.type() == kLineType) {
    partition.lines.push_back({log.index(), log.term(), std::string(log.payload().text())});
    return true;
  }
  if (log.type() != kCommandType) return false;
  std::optional<KvCommand> command = KvCommand::Decode(log.payload().text());
  if (!command) return false;
  const auto waiter = waiters_.find(command->request);
  KvOutcome outcome = Execute(partition, std::move(*command));
  if (waiter != waiters_.end()) waiter->second->outcome_ = std::move(outcome);
  return true;
}

KvOutcome KvStore::Execute(Partition& partition, KvCommand command) {
  KvOutcome outcome;
  const auto found = partition.values.find(command.key);
  const bool exists = found != partition.values.end();
  outcome.written =
      !command.conditional || (exists ? command.expect == found->second : !command.expect);
  if (!outcome.written) {
    if (exists) outcome.previous = found->second;
    return outcome;
  }
  if (exists) outcome.previous = std::move(found->second);
  if (command.value && exists) {
    found->second = std::move(*command.value);
  } else if (command.value) {
    partition.values.emplace(std::move(command.key), std::move(*command.value));
  } else if (exists) {
    partition.values.erase(found);
  }
  return outcome;
}

const std::string* KvStore::Find(const std::string& key) const {
  const Partition& partition = partitions_[PartitionOf(key).value() - 1];
  const auto found = partition.values.find(key);
  return found == partition.values.end() ? nullptr : &found->second;
}

std::span<const LogLine> KvStore::Lines(kommander::PartitionId partition, std::uint64_t from,
                                        std::size_t limit) const {
  const std::vector<LogLine>& lines = partitions_[partition.value() - 1].lines;
  const auto first = std::lower_bound(
      lines.begin(), lines.end(), from,
      [](const LogLine& line, std::uint64_t index) { return line.index.value() < index; });
  const auto count = std::min(limit, static_cast<std::size_t>(lines.end() - first));
  return {first, count};
}

KvStore::Waiter::Waiter(KvStore& store) : store_(store), request_(store.next_request_++) {
  store_.waiters_.emplace(request_, this);
}

KvStore::Waiter::~Waiter() { store_.waiters_.erase(request_); }

}  // namespace kv
