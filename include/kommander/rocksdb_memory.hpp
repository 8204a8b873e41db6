// Memory that an application with RocksDB databases of its own lends to the log's, so that one
// budget holds for all of them. The one header that speaks of RocksDB's types: it is for those who
// have them, and nothing else includes it.
#pragma once

#include <memory>
#include <utility>

#include <kommander/detail/export.hpp>
#include <kommander/rocksdb_wal.hpp>

namespace rocksdb {
class Cache;
class WriteBufferManager;
}  // namespace rocksdb

namespace kommander {

// Each part may be lent without the other; a null pointer lends nothing. What is lent is shared,
// never owned alone: the log lets go of it when it is destroyed.
class RocksDbMemory {
 public:
  // Blocks read from files go here, beside those of the lender; RocksDbWalOptions::BlockCacheBytes
  // is of no effect then. A cache with `strict_capacity_limit` that is full makes reads of the log
  // fail, and after eight failed reads in a row a partition is given up: lend one without.
  RocksDbMemory& BlockCache(std::shared_ptr<rocksdb::Cache> cache) {
    block_cache_ = std::move(cache);
    return *this;
  }
  // Counts the newly written entries of the log beside the lender's own, and says when they go to
  // files: instead of RocksDbWalOptions::WriteBufferBytes, which still sizes the files. When the
  // lender's databases hold most of its bytes, the log's few are flushed often, in small files.
  // Lend one without `allow_stall`: it would stop this node's writes while another database
  // flushes, and a node whose writes stop for `stall_ms_max` gives its leaderships up.
  RocksDbMemory& WriteBuffers(std::shared_ptr<rocksdb::WriteBufferManager> manager) {
    write_buffers_ = std::move(manager);
    return *this;
  }

  [[nodiscard]] const std::shared_ptr<rocksdb::Cache>& block_cache() const noexcept {
    return block_cache_;
  }
  [[nodiscard]] const std::shared_ptr<rocksdb::WriteBufferManager>& write_buffers() const noexcept {
    return write_buffers_;
  }

 private:
  std::shared_ptr<rocksdb::Cache> block_cache_;
  std::shared_ptr<rocksdb::WriteBufferManager> write_buffers_;
};

// As MakeRocksDbWal(options), in lent memory.
[[nodiscard]] KOMMANDER_EXPORT std::shared_ptr<Wal> MakeRocksDbWal(RocksDbWalOptions options,
                                                                   RocksDbMemory lent);

}  // namespace kommander
