// A file that only grows, of checksummed records. It also says how many of its bytes were promised
// to somebody: what is wrong before that is damage, what is wrong after it a torn tail.
//
//   offset 0             "OwnWal\r\n", version (8)
//   offset 4096, 8192    bytes promised (8), checksum of these (8); written in turn
//   from 12288 on        records: checksum of what follows (8), offset of the record (8),
//                        length of the contents (8), contents
//
// Numbers are little-endian, checksums XXH3 with 64 bits.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <span>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>
#include <xxhash.h>

#include <kommander/errors.hpp>
#include <kommander/payload.hpp>

namespace own {

using namespace kommander;
using Bytes = std::vector<std::byte>;

inline void StoreNumber(std::byte* at, std::uint64_t number) noexcept {
  for (int i = 0; i < 8; ++i) at[i] = static_cast<std::byte>(number >> (8 * i));
}
inline std::uint64_t LoadNumber(const std::byte* at) noexcept {
  std::uint64_t number = 0;
  for (int i = 7; i >= 0; --i) number = number << 8 | static_cast<std::uint8_t>(at[i]);
  return number;
}
inline std::uint64_t ChecksumOf(ByteSpan bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

// An open file; closed with the object.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) noexcept : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const noexcept { return number_; }

 private:
  int number_;
};

// One thread at a time; only Read may run beside anything else.
class LogFile {
 public:
  static constexpr std::uint64_t kVersion = 1, kVersionOffset = 8, kRecordsOffset = 12288;
  static constexpr std::size_t kHeaderBytes = 24;

  // An empty one in place of whatever is there; not yet synced.
  [[nodiscard]] bool Create(const std::string& path) {
    file_ =
        Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    Bytes head(kRecordsOffset);
    std::ranges::copy(AsBytes(kMagic), head.begin());
    StoreNumber(&head[kVersionOffset], kVersion);
    end_ = kRecordsOffset;
    return Transfer(::pwrite, 0, ByteSpan(head)) && Promise() && Promise();
  }

  // One that is there, to be read. Calls replay(contents, their offset) for each record, which
  // answers whether they make sense.
  template <class Function>
  error_code Open(const std::string& path, Function replay, std::string& detail) {
    file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat status;
    if (file_.get() < 0 || ::fstat(file_.get(), &status) != 0) return Unreadable(detail);
    const auto size = static_cast<std::uint64_t>(status.st_size);
    std::uint64_t promised = 0;
    if (const error_code error = ReadHead(promised, detail)) return error;
    bool makes_sense = true;
    for (end_ = kRecordsOffset; makes_sense && end_ + kHeaderBytes <= size;) {
      Bytes record(kHeaderBytes);
      if (!Read(end_, record)) return Unreadable(detail);
      const std::uint64_t length = LoadNumber(&record[16]);
      if (length > size - end_ - kHeaderBytes) break;
      record.resize(kHeaderBytes + length);
      if (!Read(end_, record)) return Unreadable(detail);
      const ByteSpan checked = ByteSpan(record).subspan(8);
      if (LoadNumber(&record[0]) != ChecksumOf(checked) || LoadNumber(&record[8]) != end_) break;
      makes_sense = replay(ByteSpan(record).subspan(kHeaderBytes), end_ + kHeaderBytes);
      if (makes_sense) end_ += record.size();
    }
    if (makes_sense && end_ >= promised) return {};
    detail = "is damaged at offset " + std::to_string(end_);
    return RaftErrc::WalCorrupted;
  }

  // The contents of a record follow kHeaderBytes of room for its header. Answers the offset of the
  // contents in the file; 0: the disk failed.
  [[nodiscard]] std::uint64_t Append(Bytes& record) {
    StoreNumber(&record[8], end_);
    StoreNumber(&record[16], record.size() - kHeaderBytes);
    StoreNumber(&record[0], ChecksumOf(ByteSpan(record).subspan(8)));
    if (!Transfer(::pwrite, end_, ByteSpan(record))) return 0;
    return std::exchange(end_, end_ + record.size()) + kHeaderBytes;
  }

  // Puts everything on the disk, and then notes that it is promised. The note is not synced: it may
  // come late to the disk, but never too early.
  [[nodiscard]] bool Sync() { return ::fdatasync(file_.get()) == 0 && Promise(); }

  // False: an error, or the file ends before the bytes do.
  [[nodiscard]] bool Read(std::uint64_t offset, std::span<std::byte> bytes) const {
    return Transfer(::pread, offset, bytes);
  }

 private:
  static constexpr std::string_view kMagic = "OwnWal\r\n";
  static constexpr std::uint64_t kPromises[] = {4096, 8192};

  static error_code Unreadable(std::string& detail) {
    detail = "cannot be read: " + std::generic_category().message(errno);
    return RaftErrc::WalUnavailable;
  }
  error_code ReadHead(std::uint64_t& promised, std::string& detail) const {
    Bytes head(16);
    bool is_good = Read(0, head) && std::ranges::equal(ByteSpan(head).first(8), AsBytes(kMagic));
    if (is_good && LoadNumber(&head[kVersionOffset]) > kVersion) {
      detail = "was written by a newer version";
      return RaftErrc::WalNewerFormat;
    }
    for (const std::uint64_t offset : kPromises) {  // the power may have torn one of them
      const bool is_read = Read(offset, head);
      if (!is_read || LoadNumber(&head[8]) != ChecksumOf(ByteSpan(head).first(8))) continue;
      promised = std::max(promised, LoadNumber(&head[0]));
    }
    is_good = is_good && promised != 0;
    if (is_good) return {};
    detail = "is not a log, or its beginning is damaged";
    return RaftErrc::WalCorrupted;
  }
  [[nodiscard]] bool Promise() {
    Bytes note(16);
    StoreNumber(&note[0], end_);
    StoreNumber(&note[8], ChecksumOf(ByteSpan(note).first(8)));
    is_second_ = !is_second_;
    return Transfer(::pwrite, kPromises[is_second_ ? 1 : 0], ByteSpan(note));
  }
  // All of it, however many calls it takes.
  template <class Call, class Span>
  bool Transfer(Call call, std::uint64_t offset, Span bytes) const {
    while (!bytes.empty()) {
      const ssize_t count =
          call(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      offset += static_cast<std::uint64_t>(count);
    }
    return true;
  }

  Descriptor file_;
  std::uint64_t end_ = 0;  // where the next record goes
  bool is_second_ = true;  // the newest promise is the second one
};

}  // namespace own
