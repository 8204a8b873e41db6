// One file for each snapshot, made under another name and renamed once all of it is synced.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

#include <kommander/detail/crash_point.hpp>
#include <kommander/detail/mutex.hpp>
#include <kommander/file_snapshots.hpp>

#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"
#include "common/store_directory.hpp"
#include "mutants/mutants.hpp"
#include "snapshots/sha256.hpp"

namespace kommander {
namespace {

using storage::FileDescriptor;

constexpr std::uint32_t kMagic = 0x4e534d4b;  // "KMSN"
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 128;  // the fields, a checksum of them, zeros
constexpr std::size_t kFieldBytes = 72;
constexpr std::size_t kOwnerBytes = 16;
constexpr std::size_t kReadBytes = 1u << 20;  // of a verification
using Header = std::array<std::byte, kHeaderBytes>;

Header EncodeHeader(PartitionId partition, const SnapshotInfo& info) {
  Header header{};
  codec::ByteWriter writer(header.data());
  writer.Put(kMagic);
  writer.Put(kVersion);
  writer.Put(partition.value());
  writer.Put(std::uint32_t{0});
  writer.Put(info.index.value());
  writer.Put(info.term.value());
  writer.Put(info.bytes);
  writer.PutBytes(info.sha256);
  codec::Store(header.data() + kFieldBytes, codec::Crc32c(ByteSpan(header).first(kFieldBytes)));
  return header;
}

// None: damaged. WalNewerFormat is `is_newer`: whole, and not for this version to judge.
struct DecodedHeader {
  std::optional<SnapshotInfo> info;
  bool is_newer = false;
};
DecodedHeader DecodeHeader(PartitionId partition, const Header& header) {
  codec::ByteReader reader(header);
  const auto magic = reader.Get<std::uint32_t>();
  const auto version = reader.Get<std::uint32_t>();
  const auto owner = reader.Get<std::uint32_t>();
  (void)reader.Get<std::uint32_t>();
  SnapshotInfo info;
  info.index = LogIndex(reader.Get<std::uint64_t>());
  info.term = Term(reader.Get<std::uint64_t>());
  info.bytes = reader.Get<std::uint64_t>();
  const ByteSpan checksum = reader.GetBytes(info.sha256.size());
  std::copy(checksum.begin(), checksum.end(), info.sha256.begin());
  const auto crc = reader.Get<std::uint32_t>();
  DecodedHeader decoded;
  const bool is_whole =
      magic == kMagic && crc == codec::Crc32c(ByteSpan(header).first(kFieldBytes));
  decoded.is_newer = is_whole && version > kVersion;
  if (is_whole && version == kVersion && owner == partition.value()) decoded.info = info;
  return decoded;
}

bool WriteAll(int file, ByteSpan bytes, std::uint64_t offset) noexcept {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    offset += static_cast<std::uint64_t>(written);
  }
  return true;
}

// False: an error, or the file ends before.
bool ReadAll(int file, std::span<std::byte> bytes, std::uint64_t offset) noexcept {
  while (!bytes.empty()) {
    const ssize_t got = ::pread(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return true;
}

FileDescriptor OpenFile(const std::string& path, int flags) noexcept {
  return FileDescriptor(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
}

class FileSnapshots final : public SnapshotStore {
 public:
  explicit FileSnapshots(std::string directory) : path_(std::move(directory)) {}

  error_code Open(NodeId node, Incarnation incarnation, std::string& detail) override {
    if (const error_code error = directory_.Open(path_, detail)) return error;
    if (const error_code error = CheckOwner(node, incarnation, detail)) {
      directory_.Close();
      return error;
    }
    std::error_code failure;
    std::filesystem::directory_iterator entry(path_, failure);
    for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
      if (const error_code error = LookAt(entry->path(), detail)) {
        directory_.Close();
        return error;
      }
    }
    // A crash may have come between a rename and its sync: what is read now must stay.
    if (storage::SyncDirectory(path_)) return {};
    detail = "cannot sync " + path_ + ": " + std::generic_category().message(errno);
    directory_.Close();
    return RaftErrc::WalUnavailable;
  }

  error_code List(PartitionId partition, std::vector<SnapshotInfo>& infos) override {
    infos.clear();
    std::error_code failure;
    std::filesystem::directory_iterator entry(path_, failure);
    for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
      const auto named = NameOf(entry->path());
      if (!named || named->first != partition) continue;
      const Found found = FindComplete(named->first, named->second);
      if (found.info) infos.push_back(*found.info);
    }
    std::sort(infos.begin(), infos.end(),
              [](const SnapshotInfo& a, const SnapshotInfo& b) { return a.index < b.index; });
    return failure ? error_code(RaftErrc::SnapshotFailed) : error_code();
  }

  error_code Read(PartitionId partition, LogIndex index, std::uint64_t offset,
                  std::size_t bytes_max, Payload& bytes) override {
    FileDescriptor file;
    SnapshotInfo info;
    if (const error_code error = OpenComplete(partition, index, file, info)) return error;
    const std::uint64_t left = info.bytes - std::min(info.bytes, offset);
    std::vector<std::byte> read(static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, left)));
    if (!ReadAll(file.get(), read, kHeaderBytes + offset)) return RaftErrc::SnapshotFailed;
    bytes = Payload(std::move(read));
    return {};
  }

  error_code Verify(PartitionId partition, LogIndex index) override {
    FileDescriptor file;
    SnapshotInfo info;
    if (const error_code error = OpenComplete(partition, index, file, info)) return error;
    storage::Sha256Hasher hasher;
    std::vector<std::byte> block(kReadBytes);
    for (std::uint64_t offset = 0; offset < info.bytes;) {
      const auto bytes =
          static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, info.bytes - offset));
      const auto part = std::span(block).first(bytes);
      if (!ReadAll(file.get(), part, kHeaderBytes + offset)) return RaftErrc::SnapshotCorrupted;
      hasher.Add(part);
      offset += bytes;
    }
    return hasher.Finish() == info.sha256 ? error_code() : error_code(RaftErrc::SnapshotCorrupted);
  }

  error_code Begin(PartitionId partition, Draft draft) override {
    auto open = std::make_shared<OpenDraft>();
    open->file = OpenFile(PathOf(partition, draft), O_RDWR | O_CREAT | O_TRUNC);
    if (!open->file.is_open()) return RaftErrc::SnapshotFailed;
    const detail::MutexLock lock(mutex_);
    drafts_[{partition, draft}] = std::move(open);
    return {};
  }

  error_code Append(PartitionId partition, Draft draft, ByteSpan bytes) override {
    const auto open = Find(partition, draft);
    if (open == nullptr) return RaftErrc::SnapshotMissing;
    if (!WriteAll(open->file.get(), bytes, kHeaderBytes + open->bytes)) {
      return RaftErrc::SnapshotFailed;
    }
    open->hasher.Add(bytes);
    open->bytes += bytes.size();
    return {};
  }

  error_code Publish(PartitionId partition, Draft draft, SnapshotInfo& info,
                     const std::optional<Sha256>& expected) override {
    const auto open = Find(partition, draft);
    if (open == nullptr) return RaftErrc::SnapshotMissing;
    info.bytes = open->bytes;
    info.sha256 = open->hasher.Finish();
    const bool is_wrong = expected && info.sha256 != *expected;
    if (is_wrong && !KOMMANDER_MUTANT(snapshot_unverified)) {
      Discard(partition, draft);
      return RaftErrc::SnapshotCorrupted;
    }
    const Header header = EncodeHeader(partition, info);
    const bool is_synced = WriteAll(open->file.get(), header, 0) &&
                           (KOMMANDER_MUTANT(snapshot_unsynced) || ::fsync(open->file.get()) == 0);
    KOMMANDER_CRASH_POINT("snapshot.synced");
    const bool is_there = is_synced && std::rename(PathOf(partition, draft).c_str(),
                                                   PathOf(partition, info.index).c_str()) == 0;
    KOMMANDER_CRASH_POINT("snapshot.renamed");
    if (!is_there || !storage::SyncDirectory(path_)) {
      Discard(partition, draft);
      return RaftErrc::SnapshotFailed;
    }
    const detail::MutexLock lock(mutex_);
    drafts_.erase({partition, draft});
    return {};
  }

  void Discard(PartitionId partition, Draft draft) noexcept override {
    {
      const detail::MutexLock lock(mutex_);
      drafts_.erase({partition, draft});
    }
    (void)::unlink(PathOf(partition, draft).c_str());
  }

  error_code Remove(PartitionId partition, LogIndex index) override {
    const bool is_gone = ::unlink(PathOf(partition, index).c_str()) == 0 || errno == ENOENT;
    return is_gone && storage::SyncDirectory(path_) ? error_code()
                                                    : error_code(RaftErrc::SnapshotFailed);
  }

  error_code Delete(PartitionId partition) override {
    Discard(partition, Draft::kTaken);
    Discard(partition, Draft::kReceived);
    std::vector<SnapshotInfo> infos;
    if (const error_code error = List(partition, infos)) return error;
    for (const SnapshotInfo& info : infos) {
      if (const error_code error = Remove(partition, info.index)) return error;
    }
    return {};
  }

  std::optional<std::uint64_t> FreeBytes() const noexcept override {
    return directory_.FreeBytes();
  }

  void Close() noexcept override {
    {
      const detail::MutexLock lock(mutex_);
      drafts_.clear();
    }
    directory_.Close();
  }

 private:
  struct OpenDraft {
    FileDescriptor file;
    storage::Sha256Hasher hasher;
    std::uint64_t bytes = 0;
  };

  [[nodiscard]] std::string PathOf(PartitionId partition, LogIndex index) const {
    return path_ + "/p" + std::to_string(partition.value()) + "-" + std::to_string(index.value()) +
           ".snapshot";
  }
  [[nodiscard]] std::string PathOf(PartitionId partition, Draft draft) const {
    return path_ + "/p" + std::to_string(partition.value()) +
           (draft == Draft::kTaken ? ".taken" : ".received");
  }
  [[nodiscard]] std::shared_ptr<OpenDraft> Find(PartitionId partition, Draft draft) {
    const detail::MutexLock lock(mutex_);
    const auto found = drafts_.find({partition, draft});
    return found == drafts_.end() ? nullptr : found->second;
  }

  // What there is under a name: a complete snapshot; nothing; a damaged one; or what cannot be
  // judged now, for an error of the system or by this version.
  struct Found {
    FileDescriptor file;
    std::optional<SnapshotInfo> info;
    bool is_damaged = false;
    bool is_newer = false;
    int error = 0;  // errno
  };
  [[nodiscard]] Found FindComplete(PartitionId partition, LogIndex index) const {
    Found found;
    found.file = OpenFile(PathOf(partition, index), O_RDONLY);
    if (!found.file.is_open()) {
      found.error = errno;
      return found;
    }
    struct stat status;
    if (::fstat(found.file.get(), &status) != 0) {
      found.error = errno;
      return found;
    }
    const auto size = static_cast<std::uint64_t>(status.st_size);
    Header header;
    if (size >= kHeaderBytes && !ReadAll(found.file.get(), header, 0)) {
      found.error = errno;
      return found;
    }
    DecodedHeader decoded;
    if (size >= kHeaderBytes) decoded = DecodeHeader(partition, header);
    found.is_newer = decoded.is_newer;
    const bool is_whole =
        decoded.info && size == kHeaderBytes + decoded.info->bytes && decoded.info->index == index;
    found.is_damaged = !is_whole && !found.is_newer;
    if (is_whole) found.info = decoded.info;
    return found;
  }

  // Which snapshot a file is to be; none: it has another kind of name.
  [[nodiscard]] std::optional<std::pair<PartitionId, LogIndex>> NameOf(
      const std::filesystem::path& path) const {
    std::uint32_t partition = 0;
    std::uint64_t index = 0;
    const std::string name = path.filename().string();
    if (std::sscanf(name.c_str(), "p%" SCNu32 "-%" SCNu64, &partition, &index) != 2) {
      return std::nullopt;
    }
    const std::pair named{PartitionId(partition), LogIndex(index)};
    return path.string() == PathOf(named.first, named.second) ? std::optional(named) : std::nullopt;
  }

  // At the start: drafts go, what is damaged goes out of the way, and what cannot be judged ends
  // the start, since it may be all that there is of a state.
  [[nodiscard]] error_code LookAt(const std::filesystem::path& path, std::string& detail) const {
    const std::string extension = path.extension().string();
    if (extension == ".taken" || extension == ".received") (void)::unlink(path.c_str());
    const auto named = NameOf(path);
    if (!named) return {};
    const Found found = FindComplete(named->first, named->second);
    if (found.is_newer) {
      detail = path.string() + " was written by a newer version";
      return RaftErrc::WalNewerFormat;
    }
    if (found.error != 0) {
      detail = "cannot read " + path.string() + ": " + std::generic_category().message(found.error);
      return RaftErrc::WalUnavailable;
    }
    if (found.is_damaged) (void)std::rename(path.c_str(), (path.string() + ".damaged").c_str());
    return {};
  }

  error_code OpenComplete(PartitionId partition, LogIndex index, FileDescriptor& file,
                          SnapshotInfo& info) const {
    Found found = FindComplete(partition, index);
    const bool is_there = found.info || (found.error != 0 && found.error != ENOENT);
    if (!found.info) return is_there ? RaftErrc::SnapshotFailed : RaftErrc::SnapshotMissing;
    info = *found.info;
    file = std::move(found.file);
    return {};
  }

  // Snapshots of another disk are of another life of the cluster.
  error_code CheckOwner(NodeId node, Incarnation incarnation, std::string& detail) {
    std::array<std::byte, kOwnerBytes> mine;
    codec::ByteWriter writer(mine.data());
    writer.Put(node.value());
    writer.Put(incarnation.value());
    writer.Put(codec::Crc32c(ByteSpan(mine).first(kOwnerBytes - 4)));
    const std::string path = path_ + "/owner";
    FileDescriptor file = OpenFile(path, O_RDWR);
    if (file.is_open()) {
      std::array<std::byte, kOwnerBytes> stored;
      if (ReadAll(file.get(), stored, 0) && stored == mine) return {};
      detail = "the snapshots in " + path_ + " belong to another node or disk";
      return RaftErrc::WalForeign;
    }
    if (errno != ENOENT) {
      detail = "cannot read " + path + ": " + std::generic_category().message(errno);
      return RaftErrc::WalUnavailable;
    }
    const std::string fresh = path + ".new";
    file = OpenFile(fresh, O_RDWR | O_CREAT | O_TRUNC);
    if (file.is_open() && WriteAll(file.get(), mine, 0) && ::fsync(file.get()) == 0 &&
        std::rename(fresh.c_str(), path.c_str()) == 0 && storage::SyncDirectory(path_)) {
      return {};
    }
    detail = "cannot write " + path + ": " + std::generic_category().message(errno);
    return RaftErrc::WalUnavailable;
  }

  const std::string path_;
  storage::StoreDirectory directory_;
  detail::Mutex mutex_;
  std::map<std::pair<PartitionId, Draft>, std::shared_ptr<OpenDraft>> drafts_
      KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace

std::shared_ptr<SnapshotStore> MakeFileSnapshots(std::string directory) {
  return std::make_shared<FileSnapshots>(std::move(directory));
}

}  // namespace kommander
