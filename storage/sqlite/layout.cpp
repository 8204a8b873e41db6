// POSIX calls around the files of a store.
#include "sqlite/layout.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <filesystem>
#include <set>
#include <system_error>
#include <unistd.h>

#include "sqlite/shard_file.hpp"

namespace kommander::storage {
namespace {

constexpr const char* kStoreName = "store";
constexpr const char* kNewStoreName = "store.new";
constexpr std::string_view kShardPrefix = "shard-";
// Where a record has its version.
constexpr std::size_t kVersionOffset = 4;

error_code Refuse(RaftErrc errc, const StoreDirectory& directory, const std::string& why,
                  std::string& detail) {
  detail = "the log in " + directory.path() + ": " + why;
  return errc;
}

error_code Unavailable(const StoreDirectory& directory, const std::string& what,
                       std::string& detail) {
  return Refuse(RaftErrc::WalUnavailable, directory,
                what + ": " + std::generic_category().message(errno), detail);
}

// Everything in the directory that bears the name of a shard.
error_code ListShardFiles(const StoreDirectory& directory, std::set<std::string>& names,
                          std::string& detail) {
  std::error_code error;
  std::filesystem::directory_iterator entry(directory.path(), error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (name.starts_with(kShardPrefix)) names.insert(std::move(name));
  }
  if (!error) return {};
  return Refuse(RaftErrc::WalUnavailable, directory, "cannot be listed: " + error.message(),
                detail);
}

// SQLite would act on a rollback journal, and a store never has one. What a shared memory left
// behind, by somebody who looked into a shard, holds nothing.
error_code CheckShardFiles(const StoreDirectory& directory, std::uint32_t shards,
                           std::string& detail) {
  std::set<std::string> names;
  if (const error_code error = ListShardFiles(directory, names, detail)) return error;
  for (std::uint32_t shard = 0; shard < shards; ++shard) {
    names.erase(DatabaseName(shard));
    names.erase(JournalName(shard));
    names.erase(SyncedName(shard));
    names.erase(DatabaseName(shard) + "-shm");
  }
  if (names.empty()) return {};
  return Refuse(
      RaftErrc::WalCorrupted, directory,
      *names.begin() + " is no file of this store, which has " + std::to_string(shards) + " shards",
      detail);
}

error_code WriteNewStoreFile(const StoreDirectory& directory, ByteSpan bytes, std::string& detail) {
  const std::string path = directory.PathOf(kNewStoreName);
  const FileDescriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open() ||
      ::pwrite(file.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()) ||
      ::fsync(file.get()) != 0 || !SyncDirectory(directory.path())) {
    return Unavailable(directory, std::string(kNewStoreName) + " cannot be written", detail);
  }
  return {};
}

}  // namespace

error_code ReadStoreFile(const StoreDirectory& directory, std::optional<codec::ShardRecord>& store,
                         std::string& detail) {
  store.reset();
  const std::string path = directory.PathOf(kStoreName);
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.is_open()) {
    if (errno != ENOENT) return Unavailable(directory, "its file `store`", detail);
    std::set<std::string> names;
    if (directory.HasFile(kNewStoreName)) return {};
    if (const error_code error = ListShardFiles(directory, names, detail)) return error;
    if (names.empty()) return {};
    return Refuse(RaftErrc::WalCorrupted, directory, "files of shards, but no file `store`",
                  detail);
  }
  std::array<std::byte, codec::kShardRecordBytes + 1> bytes;
  const ssize_t count = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (count < 0) return Unavailable(directory, "its file `store`", detail);
  const ByteSpan record(bytes.data(), static_cast<std::size_t>(count));
  if (record.size() > kVersionOffset &&
      std::to_integer<std::uint8_t>(record[kVersionOffset]) > codec::kWalFormatVersion) {
    return Refuse(RaftErrc::WalNewerFormat, directory, "written by a newer version", detail);
  }
  store = codec::DecodeShardRecord(record);
  if (!store || store->shard != store->shards) {
    return Refuse(RaftErrc::WalCorrupted, directory, "its file `store` is damaged", detail);
  }
  return CheckShardFiles(directory, store->shards, detail);
}

error_code BeginCreation(const StoreDirectory& directory, std::string& detail) {
  // Its name is on the disk before that of any shard.
  if (const error_code error = WriteNewStoreFile(directory, {}, detail)) return error;
  std::set<std::string> names;
  if (const error_code error = ListShardFiles(directory, names, detail)) return error;
  for (const std::string& name : names) {
    if (::unlink(directory.PathOf(name).c_str()) != 0) {
      return Unavailable(directory, name + " cannot be removed", detail);
    }
  }
  return {};
}

error_code FinishCreation(const StoreDirectory& directory, const codec::ShardRecord& store,
                          std::string& detail) {
  // With the names of the shards' files.
  if (const error_code error =
          WriteNewStoreFile(directory, codec::EncodeShardRecord(store), detail)) {
    return error;
  }
  const std::string from = directory.PathOf(kNewStoreName);
  if (::rename(from.c_str(), directory.PathOf(kStoreName).c_str()) == 0) return {};
  return Unavailable(directory, "its file `store` cannot be made", detail);
}

}  // namespace kommander::storage
