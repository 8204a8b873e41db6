// The suite that every log must pass, on the simulated disk.
#include <memory>

#include "sim_disk.hpp"
#include "wal_conformance.hpp"

namespace kommander::conformance {

namespace {

class SimWalStore final : public WalStore {
 public:
  std::shared_ptr<Wal> Attach() override { return std::make_shared<sim::SimWal>(disk_); }

 private:
  std::shared_ptr<sim::SimDisk> disk_ =
      std::make_shared<sim::SimDisk>(NodeId(1), sim::Chance(1), nullptr);
};

}  // namespace

std::unique_ptr<WalStore> MakeWalStore() { return std::make_unique<SimWalStore>(); }

}  // namespace kommander::conformance
