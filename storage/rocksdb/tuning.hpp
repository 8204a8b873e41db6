// How RocksDB is set up to serve as a log: which of its promises are asked for, and where its time
// and memory go.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <rocksdb/db.h>

#include <kommander/rocksdb_memory.hpp>

namespace kommander::storage {

// `failed` is set when RocksDB meets an error in the background.
[[nodiscard]] rocksdb::DBOptions MakeDatabaseOptions(const RocksDbWalOptions& options,
                                                     const RocksDbMemory& lent,
                                                     std::shared_ptr<std::atomic<bool>> failed);

// For a look that must leave no trace.
[[nodiscard]] rocksdb::DBOptions MakeReadOnlyOptions(const RocksDbWalOptions& options);

// The column families: log, state.
[[nodiscard]] std::vector<rocksdb::ColumnFamilyDescriptor> MakeColumnFamilies(
    const RocksDbWalOptions& options, const RocksDbMemory& lent);

}  // namespace kommander::storage
