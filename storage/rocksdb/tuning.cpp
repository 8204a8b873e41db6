// The settings, each with its reason.
#include "rocksdb/tuning.hpp"

#include <algorithm>
#include <utility>

#include <rocksdb/cache.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>

#include "mutants/mutants.hpp"
#include "rocksdb/keys.hpp"

namespace kommander::storage {
namespace {

constexpr std::size_t kWriteBufferBytesMin = std::size_t{1} << 20;
constexpr std::size_t kNeverFullBytes = std::size_t{1} << 30;
constexpr std::size_t kArenaBlockBytes = std::size_t{128} << 10;

// A flush or compaction that fails ends the store as a failed write does: what RocksDB could not
// put into files may not be where it thinks it is.
class FailStop final : public rocksdb::EventListener {
 public:
  explicit FailStop(std::shared_ptr<std::atomic<bool>> failed) : failed_(std::move(failed)) {}
  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status*) override {
    failed_->store(!KOMMANDER_MUTANT(failed_store_writes_on));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::shared_ptr<std::atomic<bool>> failed_;
};

// No diary. RocksDB 7.8 keeps its own in a file, and asserts when it writes a second line after one
// that met an error: a full disk would end the process.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

rocksdb::DBOptions MakeDatabaseOptions(const RocksDbWalOptions& options, const RocksDbMemory& lent,
                                       std::shared_ptr<std::atomic<bool>> failed) {
  rocksdb::DBOptions db;
  db.create_if_missing = false;

  // Durability. Point-in-time recovery survives every torn tail; that no acknowledged batch is
  // missing, nor a whole WAL file, is checked by the numbers of the batches. The manifest does not
  // track WAL files as well: RocksDB 7.8 may note one there that it has deleted already, and a new
  // manifest then asks for it for ever.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  if (KOMMANDER_MUTANT(torn_tail_refused)) {
    db.wal_recovery_mode = rocksdb::WALRecoveryMode::kAbsoluteConsistency;
  }
  db.track_and_verify_wals_in_manifest = false;
  // What recovery reports has been synced anew.
  db.avoid_flush_during_recovery = KOMMANDER_MUTANT(recovery_unsynced);
  db.avoid_flush_during_shutdown = true;  // all of it is in the WAL
  db.max_bgerror_resume_count = 0;        // after a failed sync, pages may be clean and lost
  db.paranoid_checks = true;
  db.atomic_flush = true;  // the number and the entries it speaks for reach files together
  db.use_fsync = false;
  db.allow_mmap_reads = false;
  db.allow_mmap_writes = false;
  db.manual_wal_flush = false;
  // Every change to the set of files gets a manifest of its own, synced before CURRENT names it. Of
  // one that was appended to, a loss of power may keep any part of the newest record, and RocksDB
  // takes such an end for damage.
  db.max_manifest_file_size = 1;
  db.listeners.push_back(std::make_shared<FailStop>(std::move(failed)));

  // One writer: none of the machinery for several.
  db.allow_concurrent_memtable_write = false;
  db.enable_write_thread_adaptive_yield = false;
  db.enable_pipelined_write = false;

  // Memory tables are flushed when they hold so much together, not when one of them is full: that
  // way of RocksDB 7.8 forgets a reference when it cannot make a new WAL, and asserts at the close.
  // A manager that is lent does the same in place of this number.
  db.db_write_buffer_size = std::max(options.write_buffer_bytes(), kWriteBufferBytesMin);
  db.write_buffer_manager = lent.write_buffers();

  db.max_background_jobs = std::max(options.background_threads(), 2);
  db.max_open_files = 512;
  db.info_log = std::make_shared<SilentLogger>();
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

rocksdb::DBOptions MakeReadOnlyOptions(const RocksDbWalOptions& options) {
  rocksdb::DBOptions db =
      MakeDatabaseOptions(options, {}, std::make_shared<std::atomic<bool>>(false));
  db.listeners.clear();
  return db;
}

std::vector<rocksdb::ColumnFamilyDescriptor> MakeColumnFamilies(const RocksDbWalOptions& options,
                                                                const RocksDbMemory& lent) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = lent.block_cache();
  if (!table.block_cache) table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes(), 2);
  table.block_size = 16 << 10;  // a log is read in runs: fewer, larger blocks, a smaller index
  table.format_version = 5;

  const std::size_t buffer = std::max(options.write_buffer_bytes(), kWriteBufferBytesMin);
  rocksdb::ColumnFamilyOptions log;
  log.write_buffer_size = kNeverFullBytes;
  log.arena_block_size = kArenaBlockBytes;
  log.max_write_buffer_number = 3;
  log.compression = rocksdb::kNoCompression;  // entries live shortly
  log.bottommost_compression = rocksdb::kNoCompression;
  log.target_file_size_base = 2 * buffer;
  log.max_bytes_for_level_base = 8 * buffer;
  log.level0_slowdown_writes_trigger = 40;
  log.level0_stop_writes_trigger = 64;
  // No memtable_insert_with_hint_prefix_extractor: 7.8 fails an assertion of its own with it when
  // entries are written anew after a truncation.
  log.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  rocksdb::ColumnFamilyOptions state;
  state.write_buffer_size = kNeverFullBytes;
  state.arena_block_size = kArenaBlockBytes;
  state.max_write_buffer_number = 3;
  state.compression = rocksdb::kNoCompression;
  state.level0_slowdown_writes_trigger = 40;
  state.level0_stop_writes_trigger = 64;
  state.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return {{rocksdb::kDefaultColumnFamilyName, log}, {kStateColumnFamily, state}};
}

}  // namespace kommander::storage
