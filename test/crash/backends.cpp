#include "backends.hpp"

#include <kommander/rocksdb_wal.hpp>
#include <kommander/sqlite_wal.hpp>

#include "../../examples/06_own_wal/own_wal.hpp"

namespace kommander::crash {

std::vector<Backend> Backends() {
  // The smallest write buffer: sorted files are written and merged while the script runs.
  const auto make_rocksdb = [](const std::string& directory) {
    return MakeRocksDbWal(RocksDbWalOptions(directory).WriteBufferBytes(std::size_t{1} << 20));
  };
  // The shortest journal: it goes to the file and begins anew while the script runs.
  const auto make_sqlite = [](const std::string& directory) {
    return MakeSqliteWal(
        SqliteWalOptions(directory).Shards(2).CheckpointBytes(std::size_t{64} << 10));
  };
  return {{"rocksdb", make_rocksdb}, {"own", own::MakeOwnWal}, {"sqlite", make_sqlite}};
}

}  // namespace kommander::crash
