// The suite over a log that could fail and is not asked to: nothing of it may be seen.
#include <kommander/testing/faulty_wal.hpp>

#include "wal_conformance.hpp"

namespace kommander::conformance {
namespace {

class FaultyStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override { return wal_; }

 private:
  std::shared_ptr<testing::FaultyWal> wal_ = std::make_shared<testing::FaultyWal>();
};

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<FaultyStore>(); }

}  // namespace kommander::conformance
