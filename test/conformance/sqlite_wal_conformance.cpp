// The suite over SQLite. A short journal makes checkpoints happen within it.
#include <sqlite3.h>

#include <kommander/sqlite_wal.hpp>

#include "sqlite/connection.hpp"
#include "temporary_directory.hpp"
#include "wal_conformance.hpp"

namespace kommander::conformance {
namespace {

class SqliteStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override {
    return MakeSqliteWal(
        SqliteWalOptions(directory_.PathOf("wal")).Shards(2).CheckpointBytes(256 << 10));
  }
  bool IsPersistent() const override { return true; }
  bool MakeNewer() override {
    storage::Connection connection;
    if (connection.Open(directory_.PathOf("wal/shard-1.db"), 1 << 20) != SQLITE_OK) return false;
    connection.AllowWriting();
    return connection.Execute("PRAGMA user_version=2") == SQLITE_OK;
  }

 private:
  TemporaryDirectory directory_;
};

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<SqliteStore>(); }

}  // namespace kommander::conformance
