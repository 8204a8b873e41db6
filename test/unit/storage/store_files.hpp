// A store's files from outside, and what an open of them says.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "file_bytes.hpp"
#include "rocksdb/rocksdb_wal.hpp"

namespace kommander::storage {

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
