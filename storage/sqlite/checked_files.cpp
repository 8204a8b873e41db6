// A SQLite VFS that passes calls on to the one of the operating system.
#include "sqlite/checked_files.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <new>

#include "codec/crc32c.hpp"
#include "codec/little_endian.hpp"

namespace kommander::storage {
namespace {

constexpr std::size_t kCoveredBytes = kPageBytes - kPageChecksumBytes;
// SQLite looks at the first bytes of a file before it knows how long a page is.
constexpr int kHeaderBytesMax = 100;

std::uint32_t ChecksumOf(const std::byte* page, std::uint32_t number) noexcept {
  std::array<std::byte, 4> place;
  codec::Store(place.data(), number);
  return codec::ExtendCrc32c(codec::Crc32c(place), ByteSpan(page, kCoveredBytes));
}

bool IsPage(int size, sqlite3_int64 offset) noexcept {
  return size == static_cast<int>(kPageBytes) && offset % static_cast<int>(kPageBytes) == 0;
}
std::uint32_t PageNumber(sqlite3_int64 offset) noexcept {
  return static_cast<std::uint32_t>(offset / static_cast<int>(kPageBytes)) + 1;
}

}  // namespace

// What SQLite holds of an open file. The file of the VFS below follows it in the same allocation.
struct CheckedFiles::File {
  sqlite3_file base;
  CheckedFiles* owner;
  bool has_pages;
  sqlite3_file* Below() noexcept { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

// The entries of the VFS and of its files, as SQLite calls them.
struct CheckedFiles::Calls {
  static File& Of(sqlite3_file* file) noexcept { return *reinterpret_cast<File*>(file); }
  static CheckedFiles& Of(sqlite3_vfs* vfs) noexcept {
    return *static_cast<CheckedFiles*>(vfs->pAppData);
  }

  // Answers a call that changes something; `refusal` when it must not be made.
  template <class Call>
  static int Change(CheckedFiles& owner, int refusal, Call call) noexcept {
    if (!owner.may_write_ || owner.has_failed_) return refusal;
    const int result = call();
    if (result != SQLITE_OK) owner.Fail();
    return result;
  }

  static int Open(sqlite3_vfs* vfs, const char* path, sqlite3_file* out, int flags,
                  int* flags_out) noexcept {
    CheckedFiles& owner = Of(vfs);
    File* const file = new (out) File{{nullptr}, &owner, (flags & SQLITE_OPEN_MAIN_DB) != 0};
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0) return SQLITE_CANTOPEN;
    int opened = 0;
    const int result = owner.base_->xOpen(owner.base_, path, file->Below(), flags, &opened);
    if (flags_out != nullptr) *flags_out = opened;
    if (result == SQLITE_OK) file->base.pMethods = &kMethods;
    return result;
  }
  static int Delete(sqlite3_vfs*, const char*, int) noexcept { return SQLITE_IOERR_DELETE; }
  static int Access(sqlite3_vfs* vfs, const char* path, int flags, int* answer) noexcept {
    sqlite3_vfs* const base = Of(vfs).base_;
    return base->xAccess(base, path, flags, answer);
  }
  static int FullPathname(sqlite3_vfs* vfs, const char* path, int size, char* out) noexcept {
    sqlite3_vfs* const base = Of(vfs).base_;
    return base->xFullPathname(base, path, size, out);
  }

  static int Close(sqlite3_file* file) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xClose(below);
  }
  static int Read(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) noexcept {
    sqlite3_file* const below = Of(file).Below();
    const bool is_page = IsPage(size, offset);
    // Pages of another length: the header of the file is wrong.
    if (Of(file).has_pages && !is_page && size > kHeaderBytesMax) return SQLITE_IOERR_DATA;
    const int result = below->pMethods->xRead(below, out, size, offset);
    if (result != SQLITE_OK || !Of(file).has_pages || !is_page) return result;
    const auto* const page = static_cast<const std::byte*>(out);
    return IsWhole(page, PageNumber(offset)) ? SQLITE_OK : SQLITE_IOERR_DATA;
  }
  static int Write(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) noexcept {
    sqlite3_file* const below = Of(file).Below();
    CheckedFiles& owner = *Of(file).owner;
    return Change(owner, SQLITE_IOERR_WRITE, [&] {
      const void* source = bytes;
      if (Of(file).has_pages) {
        if (!IsPage(size, offset)) return SQLITE_IOERR_WRITE;
        std::memcpy(owner.page_.data(), bytes, kCoveredBytes);
        codec::Store(owner.page_.data() + kCoveredBytes,
                     ChecksumOf(owner.page_.data(), PageNumber(offset)));
        source = owner.page_.data();
      }
      const int result = below->pMethods->xWrite(below, source, size, offset);
      if (result == SQLITE_OK) owner.bytes_written_ += static_cast<std::uint64_t>(size);
      return result;
    });
  }
  static int Truncate(sqlite3_file* file, sqlite3_int64 size) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return Change(*Of(file).owner, SQLITE_IOERR_TRUNCATE,
                  [&] { return below->pMethods->xTruncate(below, size); });
  }
  static int Sync(sqlite3_file* file, int flags) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return Change(*Of(file).owner, SQLITE_IOERR_FSYNC, [&] {
      ++Of(file).owner->syncs_;
      return below->pMethods->xSync(below, flags);
    });
  }
  static int FileSize(sqlite3_file* file, sqlite3_int64* size) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xFileSize(below, size);
  }
  static int Lock(sqlite3_file* file, int level) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xLock(below, level);
  }
  static int Unlock(sqlite3_file* file, int level) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xUnlock(below, level);
  }
  static int CheckReservedLock(sqlite3_file* file, int* answer) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xCheckReservedLock(below, answer);
  }
  static int FileControl(sqlite3_file* file, int what, void* argument) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xFileControl(below, what, argument);
  }
  static int SectorSize(sqlite3_file* file) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xSectorSize(below);
  }
  static int DeviceCharacteristics(sqlite3_file* file) noexcept {
    sqlite3_file* const below = Of(file).Below();
    return below->pMethods->xDeviceCharacteristics(below);
  }

  static const sqlite3_io_methods kMethods;
};

// Version 1: neither shared memory nor mappings.
const sqlite3_io_methods CheckedFiles::Calls::kMethods = {
    1,
    Calls::Close,
    Calls::Read,
    Calls::Write,
    Calls::Truncate,
    Calls::Sync,
    Calls::FileSize,
    Calls::Lock,
    Calls::Unlock,
    Calls::CheckReservedLock,
    Calls::FileControl,
    Calls::SectorSize,
    Calls::DeviceCharacteristics,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
    nullptr,
};

CheckedFiles::CheckedFiles() : base_(sqlite3_vfs_find("unix")), vfs_() {
  // SQLite knows file systems by name, one for the whole process.
  std::array<char, 40> name;
  std::snprintf(name.data(), name.size(), "kommander-%" PRIxPTR,
                reinterpret_cast<std::uintptr_t>(this));
  name_ = name.data();
  if (base_ == nullptr) return;  // no connection can be opened then
  vfs_ = *base_;
  vfs_.iVersion = 1;
  vfs_.szOsFile = static_cast<int>(sizeof(File)) + base_->szOsFile;
  vfs_.pNext = nullptr;
  vfs_.zName = name_.c_str();
  vfs_.pAppData = this;
  vfs_.xOpen = Calls::Open;
  vfs_.xDelete = Calls::Delete;
  vfs_.xAccess = Calls::Access;
  vfs_.xFullPathname = Calls::FullPathname;
  if (sqlite3_vfs_register(&vfs_, 0) != SQLITE_OK) base_ = nullptr;
}

CheckedFiles::~CheckedFiles() {
  if (base_ != nullptr) sqlite3_vfs_unregister(&vfs_);
}

bool CheckedFiles::IsWhole(const std::byte* page, std::uint32_t number) noexcept {
  if (codec::Load<std::uint32_t>(page + kCoveredBytes) == ChecksumOf(page, number)) return true;
  return std::all_of(page, page + kPageBytes, [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace kommander::storage
