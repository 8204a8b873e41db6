// Listeners and faults of a network.
#include "memory/switchboard.hpp"

#include "memory/node.hpp"

namespace kommander::memory {

bool Switchboard::Listen(const std::string& name, std::weak_ptr<Node> node) {
  const detail::MutexLock lock(mutex_);
  auto& place = listeners_[name];
  if (!place.expired()) return false;
  place = std::move(node);
  return true;
}

void Switchboard::Leave(const std::string& name, const Node* node) noexcept {
  std::shared_ptr<Node> held;  // let go after the mutex
  const detail::MutexLock lock(mutex_);
  const auto found = listeners_.find(name);
  if (found == listeners_.end()) return;
  held = found->second.lock();
  if (!held || held.get() == node) listeners_.erase(found);
}

std::shared_ptr<Node> Switchboard::Find(const std::string& name) {
  const detail::MutexLock lock(mutex_);
  const auto found = listeners_.find(name);
  return found == listeners_.end() ? nullptr : found->second.lock();
}

const LinkFaults& Switchboard::FaultsOf(NodeId from, NodeId to) const {
  const auto found = faults_.find({from, to});
  return found == faults_.end() ? default_faults_ : found->second;
}

Fate Switchboard::Draw(NodeId from, NodeId to) {
  const detail::MutexLock lock(mutex_);
  const LinkFaults& faults = FaultsOf(from, to);
  Fate fate;
  fate.reorder = faults.reorder();
  if (faults.cut() || (faults.drop() > 0 && chance_.Fraction() < faults.drop())) {
    fate.copies = 0;
    return fate;
  }
  if (faults.duplicate() > 0 && chance_.Fraction() < faults.duplicate()) fate.copies = 2;
  if (faults.delay_most() > Duration{}) {
    for (int i = 0; i < fate.copies; ++i) {
      fate.delays[i] = chance_.Between(faults.delay_least(), faults.delay_most());
    }
  }
  return fate;
}

bool Switchboard::IsCut(NodeId from, NodeId to) {
  const detail::MutexLock lock(mutex_);
  return FaultsOf(from, to).cut();
}

std::uint64_t Switchboard::DrawSeed() {
  const detail::MutexLock lock(mutex_);
  return chance_.Next();
}

void Switchboard::SetFaults(NodeId from, NodeId to, LinkFaults faults) {
  const detail::MutexLock lock(mutex_);
  faults_[{from, to}] = faults;
}

void Switchboard::SetDefaultFaults(LinkFaults faults) {
  const detail::MutexLock lock(mutex_);
  default_faults_ = faults;
}

void Switchboard::Heal() {
  const detail::MutexLock lock(mutex_);
  faults_.clear();
  default_faults_ = {};
}

}  // namespace kommander::memory
