#include "backends.hpp"

#include <kommander/rocksdb_wal.hpp>

#include "../../examples/06_own_wal/own_wal.hpp"

namespace kommander::crash {

std::vector<Backend> Backends() {
  // The smallest write buffer: sorted files are written and merged while the script runs.
  const auto make_rocksdb = [](const std::string& directory) {
    return MakeRocksDbWal(RocksDbWalOptions(directory).WriteBufferBytes(std::size_t{1} << 20));
  };
  return {{"rocksdb", make_rocksdb}, {"own", own::MakeOwnWal}};
}

}  // namespace kommander::crash
