#include <atomic>
#include <thread>

#include <kommander/dynamic_discovery.hpp>

#include "catch.hpp"

using namespace kommander;

namespace {

NodeAddress At(std::uint32_t id, const std::string& host, std::uint16_t port = 7001) {
  return NodeAddress(NodeId(id), Endpoint(host, port));
}
using List = std::vector<NodeAddress>;

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
  DynamicDiscovery discovery;
  std::atomic<bool> is_over{false};
  std::thread reader([&] {
    while (!is_over) {
      for (const NodeAddress& node : discovery.Nodes()) {
        if (node.endpoint.host != std::to_string(node.id.value())) std::abort();
      }
    }
  });
  std::vector<std::thread> writers;
  for (std::uint32_t id = 1; id <= 4; ++id) {
    writers.emplace_back([&discovery, id] {
      for (int i = 0; i < 500; ++i) {
        (void)discovery.Add(At(id, std::to_string(id)));
        (void)discovery.Remove(NodeId(id));
      }
      (void)discovery.Add(At(id, std::to_string(id)));
    });
  }
  for (auto& writer : writers) writer.join();
  is_over = true;
  reader.join();
  CHECK(discovery.Nodes().size() == 4);
}
