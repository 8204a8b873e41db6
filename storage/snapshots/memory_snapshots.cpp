// A map of byte vectors behind one lock.
#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include <kommander/detail/mutex.hpp>
#include <kommander/memory_snapshots.hpp>

#include "snapshots/sha256.hpp"

namespace kommander {
namespace {

using Bytes = std::vector<std::byte>;

class MemorySnapshots final : public SnapshotStore {
 public:
  error_code Open(NodeId node, Incarnation incarnation, std::string& detail) override {
    const detail::MutexLock lock(mutex_);
    const std::pair owner(node, incarnation);
    if (owner_ && *owner_ != owner) {
      detail = "the snapshots belong to another node or disk";
      return RaftErrc::WalForeign;
    }
    owner_ = owner;
    drafts_.clear();
    return {};
  }
  error_code List(PartitionId partition, std::vector<SnapshotInfo>& infos) override {
    const detail::MutexLock lock(mutex_);
    infos.clear();
    for (auto at = complete_.lower_bound({partition, LogIndex()});
         at != complete_.end() && at->first.first == partition; ++at) {
      infos.push_back(at->second.info);
    }
    return {};
  }
  error_code Read(PartitionId partition, LogIndex index, std::uint64_t offset,
                  std::size_t bytes_max, Payload& bytes) override {
    const detail::MutexLock lock(mutex_);
    const auto found = complete_.find({partition, index});
    if (found == complete_.end()) return RaftErrc::SnapshotMissing;
    const std::shared_ptr<const Bytes>& all = found->second.bytes;
    const std::size_t first =
        static_cast<std::size_t>(std::min<std::uint64_t>(offset, all->size()));
    bytes = Payload(all, ByteSpan(*all).subspan(first, std::min(bytes_max, all->size() - first)));
    return {};
  }
  error_code Verify(PartitionId partition, LogIndex index) override {
    const detail::MutexLock lock(mutex_);
    const auto found = complete_.find({partition, index});
    if (found == complete_.end()) return RaftErrc::SnapshotMissing;
    storage::Sha256Hasher hasher;
    hasher.Add(*found->second.bytes);
    if (hasher.Finish() != found->second.info.sha256) return RaftErrc::SnapshotCorrupted;
    return {};
  }
  error_code Begin(PartitionId partition, Draft draft) override {
    const detail::MutexLock lock(mutex_);
    drafts_[{partition, draft}] = Bytes();
    return {};
  }
  error_code Append(PartitionId partition, Draft draft, ByteSpan bytes) override {
    const detail::MutexLock lock(mutex_);
    const auto found = drafts_.find({partition, draft});
    if (found == drafts_.end()) return RaftErrc::SnapshotMissing;
    found->second.insert(found->second.end(), bytes.begin(), bytes.end());
    return {};
  }
  error_code Publish(PartitionId partition, Draft draft, SnapshotInfo& info,
                     const std::optional<Sha256>& expected) override {
    const detail::MutexLock lock(mutex_);
    const auto found = drafts_.find({partition, draft});
    if (found == drafts_.end()) return RaftErrc::SnapshotMissing;
    storage::Sha256Hasher hasher;
    hasher.Add(found->second);
    info.bytes = found->second.size();
    info.sha256 = hasher.Finish();
    const bool is_wrong = expected && info.sha256 != *expected;
    if (!is_wrong) {
      auto bytes = std::make_shared<const Bytes>(std::move(found->second));
      complete_[{partition, info.index}] = {info, std::move(bytes)};
    }
    drafts_.erase(found);
    return is_wrong ? error_code(RaftErrc::SnapshotCorrupted) : error_code();
  }
  void Discard(PartitionId partition, Draft draft) noexcept override {
    const detail::MutexLock lock(mutex_);
    drafts_.erase({partition, draft});
  }
  error_code Remove(PartitionId partition, LogIndex index) override {
    const detail::MutexLock lock(mutex_);
    complete_.erase({partition, index});
    return {};
  }
  error_code Delete(PartitionId partition) override {
    const detail::MutexLock lock(mutex_);
    std::erase_if(complete_, [&](const auto& item) { return item.first.first == partition; });
    drafts_.erase({partition, Draft::kTaken});
    drafts_.erase({partition, Draft::kReceived});
    return {};
  }
  void Close() noexcept override {}

 private:
  struct Complete {
    SnapshotInfo info;
    std::shared_ptr<const Bytes> bytes;
  };
  detail::Mutex mutex_;
  std::optional<std::pair<NodeId, Incarnation>> owner_ KOMMANDER_GUARDED_BY(mutex_);
  std::map<std::pair<PartitionId, LogIndex>, Complete> complete_ KOMMANDER_GUARDED_BY(mutex_);
  std::map<std::pair<PartitionId, Draft>, Bytes> drafts_ KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<SnapshotStore> MakeMemorySnapshots() { return std::make_shared<MemorySnapshots>(); }

}  // namespace kommander
