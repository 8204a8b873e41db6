// The state machine: what every node builds from the same log. Its values and lines live in memory
// and come back from the log after a restart; as an example it keeps everything.
//
// Everything runs on the one thread of the service's io_context, so nothing here is guarded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_log.hpp>

namespace kv {

inline constexpr std::string_view kCommandType = "kv";  // a KvCommand
inline constexpr std::string_view kLineType = "log";    // a line of text, as it is

// Sets or removes one key, perhaps only if it holds what the client expects. The nodes judge that
// when they apply the entry, so that all of them judge alike.
struct KvCommand {
  std::uint64_t request = 0;  // whose outcome this is, see KvStore::Waiter
  std::string key;
  std::optional<std::string> value;  // none: remove
  bool conditional = false;
  std::optional<std::string> expect;  // with `conditional`; none: the key is absent

  [[nodiscard]] kommander::Payload Encode() const;
  [[nodiscard]] static std::optional<KvCommand> Decode(std::string_view bytes);
};

// How the state machine judged a command.
struct KvOutcome {
  bool written = false;                 // the condition held, or there was none
  std::optional<std::string> previous;  // what the key held before
};

struct LogLine {
  kommander::LogIndex index;
  kommander::Term term;
  std::string data;
};

class KvStore {
 public:
  explicit KvStore(std::uint32_t partitions);

  [[nodiscard]] std::uint32_t partitions() const noexcept {
    return static_cast<std::uint32_t>(partitions_.size());
  }
  // The same on every node and for ever: it decides where a key lives on disk.
  [[nodiscard]] kommander::PartitionId PartitionOf(std::string_view key) const noexcept;

  // One committed payload, in the order of its partition. False: it is none of ours.
  bool Apply(const kommander::RaftLog& log);

  // nullptr when absent; valid until the next Apply.
  [[nodiscard]] const std::string* Find(const std::string& key) const;
  // The first `limit` lines at or after `from`; valid until the next Apply.
  [[nodiscard]] std::span<const LogLine> Lines(kommander::PartitionId partition, std::uint64_t from,
                                               std::size_t limit) const;

  // Lives as long as somebody waits for the outcome of one command, and names that command. So
  // the number of outcomes kept is the number of requests in progress.
  class Waiter {
   public:
    explicit Waiter(KvStore& store);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    [[nodiscard]] std::uint64_t request() const noexcept { return request_; }
    // There once this node has applied the command.
    [[nodiscard]] const std::optional<KvOutcome>& outcome() const noexcept { return outcome_; }

   private:
    friend class KvStore;
    KvStore& store_;
    std::uint64_t request_;
    std::optional<KvOutcome> outcome_;
  };

 private:
  struct Partition {
    std::unordered_map<std::string, std::string> values;
    std::vector<LogLine> lines;
  };
  [[nodiscard]] static KvOutcome Execute(Partition& partition, KvCommand command);

  std::vector<Partition> partitions_;  // partition 1 first
  std::unordered_map<std::uint64_t, Waiter*> waiters_;
  std::uint64_t next_request_;  // starts at random: other nodes and former lives count elsewhere
};

}  // namespace kv
