#include "swizzle.hpp"

#include <algorithm>
#include <utility>

#include "chance.hpp"

namespace kommander::sim {

namespace {

template <class T>
void Shuffle(Chance& chance, std::vector<T>& items) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[chance.Below(i)]);
}

// So many instants in [from, from + length), ascending.
std::vector<Duration> DrawInstants(Chance& chance, std::size_t count, Duration from,
                                   Duration length) {
  std::vector<Duration> instants;
  while (instants.size() < count) instants.push_back(from + chance.Between(Duration(0), length));
  std::sort(instants.begin(), instants.end());
  return instants;
}

}  // namespace

std::vector<Outage> DrawSwizzle(std::uint64_t draw, std::uint32_t nodes, Duration length) {
  Chance chance(draw);
  std::vector<Outage> outages;
  for (std::uint32_t from = 0; from < nodes; ++from) {
    for (std::uint32_t to = 0; to < nodes; ++to) {
      if (from != to) outages.push_back({from, to, {}, {}});
    }
  }
  if (outages.empty()) return outages;
  Shuffle(chance, outages);
  outages.resize(chance.Between(2, outages.size()));
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < outages.size(); ++i) order.push_back(i);
  // The first to die is never the first to come back.
  do {
    Shuffle(chance, order);
  } while (order.front() == 0);
  const Duration half = length / 2;
  const std::vector<Duration> downs = DrawInstants(chance, outages.size(), Duration(0), half);
  const std::vector<Duration> ups = DrawInstants(chance, outages.size(), half, length - half);
  for (std::size_t i = 0; i < outages.size(); ++i) {
    outages[i].down = downs[i];
    outages[order[i]].up = ups[i];
  }
  return outages;
}

}  // namespace kommander::sim
