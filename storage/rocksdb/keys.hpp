// Keys of the two column families. Big-endian, so that RocksDB's byte order is the order of
// partitions and indexes. Column family `default` holds entries, `state` everything else.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <rocksdb/slice.h>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>

namespace kommander::storage {

inline constexpr const char* kStateColumnFamily = "state";

inline rocksdb::Slice AsSlice(ByteSpan bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline ByteSpan AsSpan(const rocksdb::Slice& slice) noexcept {
  return AsBytes(std::string_view(slice.data(), slice.size()));
}

template <class Value>
inline void StoreBigEndian(char* out, Value value) noexcept {
  for (std::size_t i = 0; i < sizeof(Value); ++i) {
    out[i] = static_cast<char>(value >> (8 * (sizeof(Value) - 1 - i)) & 0xff);
  }
}
template <class Value>
inline Value LoadBigEndian(const char* in) noexcept {
  Value value = 0;
  for (std::size_t i = 0; i < sizeof(Value); ++i) {
    value = static_cast<Value>(value << 8 | static_cast<unsigned char>(in[i]));
  }
  return value;
}

// {partition, index}: where an entry is.
class EntryKey {
 public:
  static constexpr std::size_t kBytes = 12;
  EntryKey(PartitionId partition, LogIndex index) noexcept {
    StoreBigEndian(bytes_.data(), partition.value());
    StoreBigEndian(bytes_.data() + 4, index.value());
  }
  [[nodiscard]] rocksdb::Slice slice() const noexcept { return {bytes_.data(), kBytes}; }
  // Of a key of kBytes bytes.
  static PartitionId PartitionOf(const rocksdb::Slice& key) noexcept {
    return LoadBigEndian<std::uint32_t>(key.data());
  }
  static LogIndex IndexOf(const rocksdb::Slice& key) noexcept {
    return LogIndex(LoadBigEndian<std::uint64_t>(key.data() + 4));
  }

 private:
  std::array<char, kBytes> bytes_;
};

// The first key after every entry up to and including (partition, last): one byte longer than it.
class EntryKeyAfter {
 public:
  EntryKeyAfter(PartitionId partition, LogIndex last) noexcept {
    StoreBigEndian(bytes_.data(), partition.value());
    StoreBigEndian(bytes_.data() + 4, last.value());
    bytes_[EntryKey::kBytes] = 0;
  }
  // After everything of the partition.
  explicit EntryKeyAfter(PartitionId partition) noexcept
      : EntryKeyAfter(partition, LogIndex(~std::uint64_t{0})) {}
  [[nodiscard]] rocksdb::Slice slice() const noexcept { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, EntryKey::kBytes + 1> bytes_;
};

// A tag and a partition: state of one partition.
class StateKey {
 public:
  static constexpr char kBoundary = 'b';
  static constexpr char kHardState = 'h';
  static constexpr char kCommitHint = 'c';
  static constexpr char kApplication = 'a';
  static constexpr std::size_t kBytes = 5;
  StateKey(char tag, PartitionId partition) noexcept {
    bytes_[0] = tag;
    StoreBigEndian(bytes_.data() + 1, partition.value());
  }
  [[nodiscard]] rocksdb::Slice slice() const noexcept { return {bytes_.data(), kBytes}; }
  // Of a key of kBytes bytes.
  static PartitionId PartitionOf(const rocksdb::Slice& key) noexcept {
    return LoadBigEndian<std::uint32_t>(key.data() + 1);
  }

 private:
  std::array<char, kBytes> bytes_;
};

// State of the store.
inline const rocksdb::Slice kFormatKey{"f", 1};
inline const rocksdb::Slice kIdentityKey{"i", 1};
inline const rocksdb::Slice kBatchNumberKey{"n", 1};
inline std::string MetadataKey(std::string_view name) {
  std::string key(1, 'm');
  key.append(name);
  return key;
}

}  // namespace kommander::storage
