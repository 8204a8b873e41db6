#include "own_wal.hpp"

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <shared_mutex>
#include <sys/file.h>
#include <sys/statvfs.h>

#include "contents.hpp"
#include "log_file.hpp"

namespace own {
namespace {

// The entries with their bodies, each checked once more.
error_code Load(const LogFile& file, const std::vector<Row>& rows, std::vector<Entry>& entries) {
  entries.clear();
  for (const Row& row : rows) {
    Bytes body(row.bytes);
    const bool is_read = file.Read(row.offset, body);
    if (!is_read || ChecksumOf(body) != row.checksum) {
      entries.clear();
      // A disk that fails now may answer the next time; damage does not mend.
      return is_read ? RaftErrc::WalCorrupted : RaftErrc::WalUnavailable;
    }
    entries.push_back(row.entry);
    entries.back().body = Payload(std::move(body));
  }
  return {};
}

// A new name is on the disk once its directory is.
bool SyncDirectoryOf(const std::string& path) {
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const Descriptor directory(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY));
  return ::fsync(directory.get()) == 0;
}

class OwnWal final : public Wal {
 public:
  explicit OwnWal(std::string path) : path_(std::move(path)) {}

  error_code Open(std::optional<StoreIdentity>& identity, std::string& detail) override {
    identity.reset();
    if (const error_code error = Lock(detail)) return error;
    if (const error_code error = Rewrite(detail)) {
      detail = path_ + " " + detail;
      Close();
      return error;
    }
    has_failed_ = false;
    syncs_ = bytes_ = batches_ = units_ = 0;
    identity = contents_.identity;
    return {};
  }
  void Close() noexcept override {
    contents_ = Contents();
    file_.reset();
    lock_ = Descriptor();
  }

  error_code Write(std::span<const WriteUnit* const> units) override {
    if (has_failed_) return RaftErrc::StorageFailed;
    Change change;
    for (const WriteUnit* unit : units) {
      if (!contents_.CanFollow(*unit)) return RaftErrc::InvalidArgument;
      change.units.push_back(*unit);
    }
    ++batches_;
    units_ += units.size();
    return Store(change);
  }
  error_code Create(const StoreIdentity& identity) override {
    if (contents_.identity) return RaftErrc::WalForeign;
    Change change;
    change.identity = identity;
    return Store(change);
  }
  error_code DeletePartition(PartitionId partition) override {
    Change change;
    change.deleted.push_back(partition);
    return Store(change);
  }
  error_code PutMetadata(std::string_view key, const Payload& value) override {
    Change change;
    change.metadata.push_back({std::string(key), value});
    return Store(change);
  }

  error_code GetMetadata(std::string_view key, std::optional<Payload>& value) override {
    const std::shared_lock lock(mutex_);
    const auto found = contents_.metadata.find(key);
    value.reset();
    if (found != contents_.metadata.end()) value = found->second;
    return {};
  }
  error_code ListPartitions(std::vector<PartitionId>& partitions) override {
    const std::shared_lock lock(mutex_);
    partitions.clear();
    for (const auto& [id, partition] : contents_.partitions) partitions.push_back(id);
    return {};
  }
  error_code Recover(PartitionId id, RecoveredPartition& recovered) override {
    const std::shared_lock lock(mutex_);
    const Partition* const partition = contents_.Find(id);
    if (!partition) return RaftErrc::PartitionNotFound;
    recovered = RecoveredPartition();
    recovered.boundary = partition->boundary;
    recovered.hard_state = partition->hard_state;
    recovered.commit_hint = partition->commit_hint;
    recovered.application = partition->application;
    recovered.last_index = partition->Last();
    std::vector<Row> configurations;
    for (const Row& row : partition->rows) {
      recovered.greatest_stamp = std::max(recovered.greatest_stamp, row.entry.ticket);
      if (recovered.terms.empty() || recovered.terms.back().term != row.entry.term) {
        recovered.terms.emplace_back(row.entry.index, row.entry.term);
      }
      if (row.entry.kind == EntryKind::kConfiguration) configurations.push_back(row);
    }
    return Load(*file_, configurations, recovered.configuration_entries);
  }
  error_code Read(PartitionId id, LogIndex first, LogIndex last, std::size_t bytes_max,
                  std::vector<Entry>& entries) override {
    std::vector<Row> rows;
    std::shared_lock lock(mutex_);
    if (const Partition* const found = contents_.Find(id)) {
      rows = found->Select(first, last, bytes_max);
    }
    lock.unlock();  // a writer may go on: what is in the file stays as it is
    return Load(*file_, rows, entries);
  }

  std::optional<std::uint64_t> FreeBytes() const noexcept override {
    struct statvfs status;
    if (::statvfs(path_.c_str(), &status) != 0) return std::nullopt;
    return std::uint64_t{status.f_bavail} * status.f_frsize;
  }
  WalStatistics Statistics() const noexcept override { return {syncs_, bytes_, batches_, units_}; }

 private:
  // A lock file of its own: the log is replaced by another file when it is opened.
  error_code Lock(std::string& detail) {
    const std::string name = path_ + ".lock";
    Descriptor lock(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock.get() >= 0 && ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) {
      lock_ = std::move(lock);
      return {};
    }
    const bool is_taken = errno == EWOULDBLOCK;
    detail = name + " cannot be locked: " + std::generic_category().message(errno);
    return is_taken ? RaftErrc::WalLocked : RaftErrc::WalUnavailable;
  }

  // Reads the file, and writes what is still alive to a new one that takes its place. So the torn
  // tail and all that was overwritten are gone, and what a restart reports has been written and
  // synced anew: after a failed sync the old file may look better than it is on the disk.
  error_code Rewrite(std::string& detail) {
    LogFile old;
    Contents before;
    if (::access(path_.c_str(), F_OK) == 0 || errno != ENOENT) {
      const auto replay = [&](ByteSpan contents, std::uint64_t offset) {
        return before.Replay(contents, offset);
      };
      if (const error_code error = old.Open(path_, replay, detail)) return error;
    }
    const std::string fresh = path_ + ".new";
    file_ = std::make_unique<LogFile>();
    // The second sync is for the note that the first one leaves.
    if (file_->Create(fresh) && Copy(old, before) && file_->Sync() && file_->Sync() &&
        ::rename(fresh.c_str(), path_.c_str()) == 0 && SyncDirectoryOf(path_)) {
      return {};
    }
    detail = "cannot be written anew: " + std::generic_category().message(errno);
    return RaftErrc::WalUnavailable;
  }
  bool Copy(const LogFile& old, const Contents& before) {
    Change change;
    change.identity = before.identity;
    for (const auto& [key, value] : before.metadata) change.metadata.push_back({key, value});
    for (const auto& [id, partition] : before.partitions) {
      WriteUnit unit;
      unit.boundary = partition.boundary;
      unit.hard_state = partition.hard_state;
      unit.commit_hint = partition.commit_hint;
      unit.application = partition.application;
      for (LogIndex next = partition.boundary.index.Next();;) {
        unit.partition = id;
        const std::vector<Row> rows = partition.Select(next, partition.Last(), 1u << 20);
        if (Load(old, rows, unit.entries)) return false;
        change.units.push_back(std::exchange(unit, WriteUnit()));
        if (!Append(std::exchange(change, Change()))) return false;
        next = next + rows.size();
        if (next > partition.Last()) break;
      }
    }
    return Append(change);
  }

  bool Append(const Change& change) {
    Bytes record = MakeRecord(change);
    const std::uint64_t offset = file_->Append(record);
    return offset != 0 && contents_.Replay(ByteSpan(record).subspan(LogFile::kHeaderBytes), offset);
  }
  // The one way by which an open store is changed; readers see it once it is on the disk.
  error_code Store(const Change& change) {
    if (has_failed_) return RaftErrc::StorageFailed;
    Bytes record = MakeRecord(change);
    const std::uint64_t offset = file_->Append(record);
    // For good: if another sync succeeded, it would say nothing of what this one has lost.
    has_failed_ = offset == 0 || !file_->Sync();
    if (has_failed_) return RaftErrc::StorageFailed;
    ++syncs_;
    bytes_ += record.size();
    const std::unique_lock lock(mutex_);
    has_failed_ = !contents_.Replay(ByteSpan(record).subspan(LogFile::kHeaderBytes), offset);
    return has_failed_ ? RaftErrc::StorageFailed : error_code();
  }

  const std::string path_;
  Descriptor lock_;
  std::unique_ptr<LogFile> file_;
  bool has_failed_ = false;  // writers alone look at it
  std::shared_mutex mutex_;  // of contents_: held by readers, and by a writer that changes them
  Contents contents_;
  std::atomic<std::uint64_t> syncs_ = 0, bytes_ = 0, batches_ = 0, units_ = 0;
};

}  // namespace

std::shared_ptr<Wal> MakeOwnWal(std::string path) {
  return std::make_shared<OwnWal>(std::move(path));
}

}  // namespace own
