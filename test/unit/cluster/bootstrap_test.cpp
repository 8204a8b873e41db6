// The birth of a cluster: the digest that must agree, and the gate that keeps wiped disks silent.
#include "cluster/bootstrap.hpp"

#include "catch.hpp"

namespace kommander::cluster {
namespace {

constexpr Incarnation kOwn(100);

Configuration Members(std::uint32_t count) {
  std::vector<NodeId> voters;
  for (std::uint32_t i = 1; i <= count; ++i) voters.emplace_back(i);
  return Configuration(std::move(voters));
}

Hello From(std::uint32_t node) {
  Hello hello;
  hello.node = NodeId(node);
  hello.incarnation = Incarnation(node * 100);
  return hello;
}

TEST_CASE("the digest is the same for the same members in any order, and on every machine") {
  const Configuration one({NodeId(1), NodeId(2), NodeId(3)});
  const Configuration two({NodeId(3), NodeId(1), NodeId(2), NodeId(1)});
  CHECK(BootstrapDigest(one) == BootstrapDigest(two));
  CHECK(BootstrapDigest(one) == 0x81901f52dd74c5e3);
}

TEST_CASE("the digest tells configurations apart") {
  const Configuration configurations[] = {Members(1),
                                          Members(2),
                                          Members(3),
                                          Configuration({NodeId(1), NodeId(2), NodeId(4)}),
                                          Configuration({NodeId(1), NodeId(2)}, {NodeId(3)}),
                                          Configuration({NodeId(1), NodeId(2)}, {}, {NodeId(3)}),
                                          Configuration()};
  for (const auto& a : configurations) {
    for (const auto& b : configurations) {
      CHECK((BootstrapDigest(a) == BootstrapDigest(b)) == (a == b));
    }
  }
}

TEST_CASE("a sole member and a store that was used are open at once") {
  CHECK(BootstrapGate(NodeId(1), kOwn, Members(1), true).IsOpen());
  CHECK(BootstrapGate(NodeId(1), kOwn, Members(3), false).IsOpen());
  CHECK(BootstrapGate(NodeId(9), kOwn, Members(3), false).IsOpen());
}

TEST_CASE("an empty store opens with a majority, this node included") {
  const std::uint32_t count = GENERATE(2u, 3u, 4u, 5u, 6u, 7u);
  BootstrapGate gate(NodeId(1), kOwn, Members(count), true);
  const std::uint32_t majority = count / 2 + 1;
  for (std::uint32_t heard = 1; heard < majority; ++heard) {
    CHECK_FALSE(gate.IsOpen());
    gate.OnHello(From(heard + 1));
    gate.OnHello(From(2));  // the same peer again is not another one
  }
  CHECK(gate.IsOpen());
}

TEST_CASE("who does not count") {
  BootstrapGate gate(NodeId(1), kOwn, Members(3), true);
  Hello hello = From(2);
  SECTION("this node itself") { hello = From(1); }
  SECTION("no initial member") { hello = From(4); }
  SECTION("a peer that knows a roster") { hello.knows_roster = true; }
  SECTION("a peer that knows another incarnation") { hello.known_incarnation = Incarnation(99); }
  gate.OnHello(hello);
  CHECK_FALSE(gate.IsOpen());
  gate.OnHello(From(3));
  CHECK(gate.IsOpen());
}

TEST_CASE("a peer that knows this very incarnation counts") {
  BootstrapGate gate(NodeId(1), kOwn, Members(3), true);
  Hello hello = From(2);
  hello.known_incarnation = kOwn;
  gate.OnHello(hello);
  CHECK(gate.IsOpen());
}

TEST_CASE("a peer's latest word replaces its earlier one") {
  BootstrapGate gate(NodeId(1), kOwn, Members(5), true);
  gate.OnHello(From(2));
  Hello learned = From(2);
  learned.knows_roster = true;
  gate.OnHello(learned);
  gate.OnHello(From(3));
  CHECK_FALSE(gate.IsOpen());
  gate.OnHello(From(4));
  CHECK(gate.IsOpen());
}

TEST_CASE("an open gate stays open") {
  BootstrapGate gate(NodeId(1), kOwn, Members(2), true);
  gate.OnHello(From(2));
  REQUIRE(gate.IsOpen());
  Hello learned = From(2);
  learned.knows_roster = true;
  gate.OnHello(learned);
  CHECK(gate.IsOpen());
}

TEST_CASE("a node outside of the initial members waits for the roster") {
  BootstrapGate gate(NodeId(9), kOwn, Members(3), true);
  gate.OnHello(From(1));
  gate.OnHello(From(2));
  gate.OnHello(From(3));
  CHECK_FALSE(gate.IsOpen());
  gate.Open();
  CHECK(gate.IsOpen());
  // Nor does being the only one who is not the sole member make it one.
  CHECK_FALSE(BootstrapGate(NodeId(9), kOwn, Members(1), true).IsOpen());
}

}  // namespace
}  // namespace kommander::cluster
