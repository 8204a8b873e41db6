#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include <kommander/dynamic_discovery.hpp>

#include "catch.hpp"

using namespace kommander;

namespace {

NodeAddress At(std::uint32_t id, const std::string& host, std::uint16_t port = 7001) {
  return NodeAddress(NodeId(id), Endpoint(host, port));
}
using List = std::vector<NodeAddress>;
// So long that a copy is made of memory which a writer may have freed, not of the object alone.
std::string HostOf(std::uint32_t id) { return std::string(100, static_cast<char>('0' + id)); }

}  // namespace

TEST_CASE("dynamic discovery: nodes are set, added, moved and removed") {
  DynamicDiscovery discovery({At(1, "a"), At(2, "b")});
  CHECK(discovery.Nodes() == List{At(1, "a"), At(2, "b")});
  CHECK(discovery.Add(At(3, "c")));
  CHECK(discovery.Add(At(1, "elsewhere")));
  CHECK(discovery.Nodes() == List{At(1, "elsewhere"), At(2, "b"), At(3, "c")});
  CHECK(discovery.Remove(NodeId(2)));
  CHECK_FALSE(discovery.Remove(NodeId(2)));
  CHECK(discovery.Nodes() == List{At(1, "elsewhere"), At(3, "c")});
  CHECK(discovery.Set({At(4, "d")}) == 0);
  CHECK(discovery.Nodes() == List{At(4, "d")});
  CHECK(discovery.Set({}) == 0);
  CHECK(discovery.Nodes().empty());
}

TEST_CASE("dynamic discovery: of several addresses of one node the last holds") {
  DynamicDiscovery discovery({At(1, "a"), At(2, "b"), At(1, "c")});
  CHECK(discovery.Nodes() == List{At(1, "c"), At(2, "b")});
}

TEST_CASE("dynamic discovery: what nobody could dial is not taken") {
  const List good{At(1, "a")};
  DynamicDiscovery discovery(good);
  for (const NodeAddress& bad : {At(0, "b"), At(2, ""), At(1, "b", 0)}) {
    CHECK_FALSE(discovery.Add(bad));
    CHECK(discovery.Nodes() == good);
    CHECK(discovery.Set({bad, At(1, "a"), bad}) == 2);
    CHECK(discovery.Nodes() == good);
  }
}

TEST_CASE("dynamic discovery: from any thread") {
  constexpr std::uint32_t kWriters = 4;
  constexpr int kRounds = 10'000;
  List all;
  for (std::uint32_t id = 1; id <= 32; ++id) all.push_back(At(id, HostOf(id)));
  DynamicDiscovery discovery;
  std::atomic<bool> is_over{false};
  std::latch begin(kWriters + 2);  // or one would be done before the next is there
  std::thread reader([&] {
    begin.arrive_and_wait();
    while (!is_over) {
      for (const NodeAddress& node : discovery.Nodes()) {
        if (node.endpoint.host != HostOf(node.id.value())) std::abort();
      }
    }
  });
  std::vector<std::thread> writers;
  for (std::uint32_t id = 1; id <= kWriters; ++id) {
    writers.emplace_back([&discovery, &begin, id] {
      begin.arrive_and_wait();
      for (int i = 0; i < kRounds; ++i) {
        (void)discovery.Add(At(id, HostOf(id)));
        (void)discovery.Remove(NodeId(id));
      }
      (void)discovery.Add(At(id, HostOf(id)));
    });
  }
  writers.emplace_back([&] {
    begin.arrive_and_wait();
    for (int i = 0; i < kRounds; ++i) (void)discovery.Set(all);
  });
  for (auto& writer : writers) writer.join();
  is_over = true;
  reader.join();
  CHECK(discovery.Nodes().size() == all.size());
}
