// The suite over RocksDB. A small write buffer makes flushes and merges happen within it.
#include <rocksdb/db.h>

#include <kommander/rocksdb_wal.hpp>

#include "rocksdb/keys.hpp"
#include "temporary_directory.hpp"
#include "wal_conformance.hpp"

namespace kommander::conformance {
namespace {

class RocksDbStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override {
    return MakeRocksDbWal(
        RocksDbWalOptions(directory_.PathOf("wal")).WriteBufferBytes(std::size_t{1} << 20));
  }
  bool IsPersistent() const override { return true; }
  bool MakeNewer() override {
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status = rocksdb::DB::Open(
        rocksdb::DBOptions(), directory_.PathOf("wal/db"),
        {{rocksdb::kDefaultColumnFamilyName, {}}, {storage::kStateColumnFamily, {}}}, &handles,
        &opened);
    const std::unique_ptr<rocksdb::DB> db(opened);
    if (!status.ok()) return false;
    const bool is_put = db->Put({}, handles[1], storage::kFormatKey, "\x02").ok();
    for (rocksdb::ColumnFamilyHandle* handle : handles) db->DestroyColumnFamilyHandle(handle);
    return is_put;
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<RocksDbStore>(); }

}  // namespace kommander::conformance
