// The numbers of forwarded writes. Links may bring a message twice, late, or to the next life of
// the process that it is for; a write without a session has its effect once all the same, and an
// answer is that of the question. Numbers rise by one from a random one, so no life of any node
// uses those of another.
#pragma once

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include <kommander/ids.hpp>

#include "mutants/mutants.hpp"
#include "raft/inputs.hpp"
#include "raft/random.hpp"

namespace kommander::runtime {

// At the asker: which request a number is for.
class ForwardNumbers {
 public:
  explicit ForwardNumbers(std::uint64_t seed) noexcept : next_(raft::Random(seed).Next() >> 1) {}

  // `is_open`: whether a request still waits. Those that do not are forgotten now and then.
  template <class IsOpen>
  std::uint64_t Begin(raft::RequestId request, IsOpen is_open) {
    constexpr std::size_t kFew = 64;
    if (requests_.size() >= sweep_at_) {
      std::erase_if(requests_, [&](const auto& item) { return !is_open(item.second); });
      sweep_at_ = 2 * requests_.size() + kFew;
    }
    requests_.emplace(++next_, request);
    return next_;
  }
  // None: answered already, or the question of an earlier life.
  std::optional<raft::RequestId> End(std::uint64_t number) {
    const auto found = requests_.find(number);
    if (found == requests_.end()) return std::nullopt;
    return requests_.extract(found).mapped();
  }

 private:
  std::uint64_t next_;
  std::map<std::uint64_t, raft::RequestId> requests_;
  std::size_t sweep_at_ = 0;
};

// At the leader: which numbers have been here. Of each life of an asker the newest kWindow; an
// older one counts as one that was here, so its asker waits in vain and learns at its deadline that
// nobody knows the outcome.
class ForwardWindows {
 public:
  static constexpr std::uint64_t kWindow = 1024;
  static constexpr std::size_t kLivesMax = 64;  // of all askers; the least recently heard one goes

  // False: not again.
  bool Admit(NodeId asker, std::uint64_t number) {
    if (KOMMANDER_MUTANT(forwarded_duplicate_taken)) return true;
    const auto found = std::find_if(lives_.begin(), lives_.end(), [&](const Life& life) {
      const std::uint64_t distance = std::max(life.newest, number) - std::min(life.newest, number);
      return life.asker == asker && distance < kLifeLength;
    });
    if (found == lives_.end()) {
      if (lives_.size() == kLivesMax) lives_.erase(lives_.begin());
      lives_.push_back(Life{asker, number, {}});
      lives_.back().was_here.set(0);
      return true;
    }
    std::rotate(found, found + 1, lives_.end());
    Life& life = lives_.back();
    if (number > life.newest) {
      const std::uint64_t further = number - life.newest;
      life.was_here <<= static_cast<std::size_t>(std::min(further, kWindow));
      life.newest = number;
    }
    const std::uint64_t age = life.newest - number;
    if (age >= kWindow || life.was_here.test(age)) return false;
    life.was_here.set(age);
    return true;
  }

 private:
  // Far more than one life numbers, far less than lies between two.
  static constexpr std::uint64_t kLifeLength = std::uint64_t{1} << 40;
  struct Life {
    NodeId asker;
    std::uint64_t newest = 0;
    std::bitset<kWindow> was_here;  // by age
  };
  std::vector<Life> lives_;
};

}  // namespace kommander::runtime
