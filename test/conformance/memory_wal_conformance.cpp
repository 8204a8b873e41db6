// The suite over the log without a disk.
#include <kommander/memory_wal.hpp>

#include "wal_conformance.hpp"

namespace kommander::conformance {
namespace {

class MemoryStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override { return wal_; }

 private:
  std::shared_ptr<MemoryWal> wal_ = std::make_shared<MemoryWal>();
};

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<MemoryStore>(); }

}  // namespace kommander::conformance
