// A store's files from outside, and what an open of them says.
#pragma once

#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>

#include "rocksdb/rocksdb_wal.hpp"

namespace kommander::storage {

inline std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}
inline void WriteFile(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

inline RocksDbWalOptions SmallOptions(const std::string& directory) {
  return RocksDbWalOptions(directory).WriteBufferBytes(std::size_t{1} << 20);
}

// What an open says; the log is closed again.
inline error_code TryOpen(const std::string& directory, std::string& detail,
                          const std::function<void(Wal&)>& check = nullptr) {
  RocksDbWal wal(SmallOptions(directory));
  std::optional<StoreIdentity> identity;
  const error_code error = wal.Open(identity, detail);
  if (!error && check) check(wal);
  return error;
}

}  // namespace kommander::storage
