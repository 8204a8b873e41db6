// Two slots, each on a page of its own, so that no torn write can take both.
#include "common/synced_file.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <system_error>
#include <unistd.h>

#include <kommander/detail/crash_point.hpp>

#include "codec/wal_record.hpp"

namespace kommander::storage {
namespace {

constexpr std::size_t kFileBytes = 2 * codec::kSyncedSlotStrideBytes;

bool WriteAt(int file, const void* bytes, std::size_t size, std::size_t offset) noexcept {
  ssize_t written = -1;
  do written = ::pwrite(file, bytes, size, static_cast<off_t>(offset));
  while (written < 0 && errno == EINTR);
  return written == static_cast<ssize_t>(size);
}

error_code Unavailable(std::string& detail, const std::string& what, const std::string& path) {
  detail = what + " " + path + ": " + std::generic_category().message(errno);
  return RaftErrc::WalUnavailable;
}

}  // namespace

error_code SyncedFile::Open(const std::string& path, std::string& detail) {
  content_ = Content::kMissing;
  number_ = 0;
  file_ = FileDescriptor(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file_.is_open()) {
    return errno == ENOENT ? error_code() : Unavailable(detail, "cannot open", path);
  }
  content_ = Content::kInvalid;
  for (std::size_t slot = 0; slot < 2; ++slot) {
    codec::SyncedSlot bytes{};
    const auto offset = static_cast<off_t>(slot * codec::kSyncedSlotStrideBytes);
    const ssize_t count = ::pread(file_.get(), bytes.data(), bytes.size(), offset);
    if (count < 0) return Unavailable(detail, "cannot read", path);
    if (count != static_cast<ssize_t>(bytes.size())) continue;
    const auto number = codec::DecodeSyncedSlot(bytes);
    if (!number || (content_ == Content::kValid && *number < number_)) continue;
    content_ = Content::kValid;
    number_ = *number;
    newest_slot_ = slot;
  }
  return {};
}

error_code SyncedFile::Create(const std::string& path, std::uint64_t number, std::string& detail) {
  file_ = FileDescriptor(
      ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file_.is_open()) return Unavailable(detail, "cannot create", path);
  std::array<std::byte, kFileBytes> bytes{};
  const codec::SyncedSlot slot = codec::EncodeSyncedSlot(number);
  std::copy(slot.begin(), slot.end(), bytes.begin());
  std::copy(slot.begin(), slot.end(), bytes.begin() + codec::kSyncedSlotStrideBytes);
  const std::string parent = std::filesystem::path(path).parent_path().string();
  KOMMANDER_CRASH_POINT("synced.created");
  if (!WriteAt(file_.get(), bytes.data(), bytes.size(), 0) || ::fsync(file_.get()) != 0 ||
      !SyncDirectory(parent.empty() ? "." : parent)) {
    return Unavailable(detail, "cannot write", path);
  }
  KOMMANDER_CRASH_POINT("synced.creation_synced");
  content_ = Content::kValid;
  number_ = number;
  return {};
}

error_code SyncedFile::Refresh(std::uint64_t number, std::string& detail) {
  const codec::SyncedSlot bytes = codec::EncodeSyncedSlot(number);
  for (const std::size_t slot : {1 - newest_slot_, newest_slot_}) {
    if (!WriteAt(file_.get(), bytes.data(), bytes.size(), slot * codec::kSyncedSlotStrideBytes) ||
        ::fsync(file_.get()) != 0) {
      return Unavailable(detail, "cannot write", "the file `synced`");
    }
    KOMMANDER_CRASH_POINT("synced.slot_refreshed");
  }
  number_ = number;
  return {};
}

bool SyncedFile::Store(std::uint64_t number) noexcept {
  const codec::SyncedSlot slot = codec::EncodeSyncedSlot(number);
  const std::size_t offset = (number % 2) * codec::kSyncedSlotStrideBytes;
  KOMMANDER_CRASH_POINT("synced.before_store");
  if (!WriteAt(file_.get(), slot.data(), slot.size(), offset)) return false;
  KOMMANDER_CRASH_POINT("synced.after_store");
  number_ = number;
  return true;
}

}  // namespace kommander::storage
