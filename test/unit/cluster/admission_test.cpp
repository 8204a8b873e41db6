// The judgement of a hello: each refusal, and which one wins when several apply.
#include "cluster/admission.hpp"

#include "catch.hpp"

namespace kommander::cluster {
namespace {

AdmissionFacts Facts() {
  AdmissionFacts facts;
  facts.cluster_id = "fruit";
  facts.self = NodeId(1);
  facts.incarnation = Incarnation(100);
  facts.nonce = 11;
  facts.bootstrap_digest = 77;
  return facts;
}

Hello FromTwo() {
  Hello hello;
  hello.cluster_id = "fruit";
  hello.node = NodeId(2);
  hello.incarnation = Incarnation(200);
  hello.nonce = 22;
  hello.bootstrap_digest = 77;
  return hello;
}

// A judgement with the circumstances that a test does not care about.
struct Case {
  AdmissionFacts facts = Facts();
  Hello hello = FromTwo();
  NodeId dialled;
  bool is_member = true;
  Incarnation pinned;
  bool is_live = false;
  [[nodiscard]] error_code Judge() const {
    return JudgeHello(facts, hello, dialled, is_member, pinned, is_live);
  }
};

TEST_CASE("a proper hello is admitted") {
  Case c;
  CHECK_FALSE(c.Judge());
  c.dialled = NodeId(2);
  CHECK_FALSE(c.Judge());
  c.pinned = Incarnation(200);
  CHECK_FALSE(c.Judge());
  c.is_live = true;  // it comes again while its old connection is not yet down
  CHECK_FALSE(c.Judge());
  c.hello.known_incarnation = Incarnation(100);
  CHECK_FALSE(c.Judge());
}

TEST_CASE("each flaw has its refusal") {
  Case c;
  RaftErrc expected{};
  SECTION("another cluster") {
    c.hello.cluster_id = "vegetables";
    expected = RaftErrc::ClusterIdMismatch;
  }
  SECTION("a cluster id that only begins alike") {
    c.hello.cluster_id = "fruits";
    expected = RaftErrc::ClusterIdMismatch;
  }
  SECTION("versions above ours only") {
    c.hello.version_min = kProtocolVersionMax + 1;
    c.hello.version_max = kProtocolVersionMax + 2;
    expected = RaftErrc::VersionMismatch;
  }
  SECTION("versions below ours only") {
    c.hello.version_min = 0;
    c.hello.version_max = kProtocolVersionMin - 1;
    expected = RaftErrc::VersionMismatch;
  }
  SECTION("a range that ends before it begins") {
    c.hello.version_min = kProtocolVersionMax;
    c.hello.version_max = kProtocolVersionMin - 1;
    expected = RaftErrc::VersionMismatch;
  }
  SECTION("this process") {
    c.hello.nonce = c.facts.nonce;
    expected = RaftErrc::UnexpectedPeer;
  }
  SECTION("another process with this node's id") {
    c.hello.node = NodeId(1);
    expected = RaftErrc::DuplicateNodeId;
  }
  SECTION("not the node that was dialled") {
    c.dialled = NodeId(3);
    expected = RaftErrc::UnexpectedPeer;
  }
  SECTION("no member") {
    c.is_member = false;
    expected = RaftErrc::UnexpectedPeer;
  }
  SECTION("a member without incarnation") {
    c.hello.incarnation = Incarnation();
    expected = RaftErrc::UnexpectedPeer;
  }
  SECTION("started with other members") {
    c.hello.bootstrap_digest = 78;
    expected = RaftErrc::BootstrapMismatch;
  }
  SECTION("started with other members, and it knows a roster") {
    c.hello.bootstrap_digest = 78;
    c.hello.knows_roster = true;
    expected = RaftErrc::BootstrapMismatch;
  }
  SECTION("pinned under another incarnation") {
    c.pinned = Incarnation(201);
    expected = RaftErrc::IdentityReplaced;
  }
  SECTION("pinned under another incarnation that is connected") {
    c.pinned = Incarnation(201);
    c.is_live = true;
    expected = RaftErrc::DuplicateNodeId;
  }
  SECTION("it knows this node under another incarnation") {
    c.hello.known_incarnation = Incarnation(99);
    expected = RaftErrc::UnexpectedPeer;
  }
  CHECK(c.Judge() == expected);
}

// Otherwise a node that has missed the entry that added the leader could never hear of it.
TEST_CASE("a stranger that has applied this cluster's roster is admitted, and nobody else") {
  Case c;
  c.is_member = false;
  c.facts.knows_roster = true;
  c.hello.knows_roster = true;
  c.hello.known_incarnation = c.facts.incarnation;
  CHECK_FALSE(c.Judge());
  SECTION("it knows no roster") { c.hello.knows_roster = false; }
  SECTION("its roster does not name this node") { c.hello.known_incarnation = Incarnation(); }
  SECTION("its roster names another incarnation") { c.hello.known_incarnation = Incarnation(99); }
  SECTION("its cluster began with other members") { c.hello.bootstrap_digest = 78; }
  SECTION("it has no incarnation") { c.hello.incarnation = Incarnation(); }
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);
}

TEST_CASE("a node that knows no roster learns from whoever knows one") {
  Case c;
  c.is_member = false;
  c.hello.knows_roster = true;
  CHECK_FALSE(c.Judge());
  c.hello.known_incarnation = Incarnation(99);
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);
  CHECK(MeansAnother(c.facts, c.hello));
  c.hello.known_incarnation = c.facts.incarnation;
  CHECK_FALSE(MeansAnother(c.facts, c.hello));
  CHECK_FALSE(c.Judge());
  c.hello.bootstrap_digest = 78;
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);
}

TEST_CASE("a wider range of versions around ours is admitted") {
  Case c;
  c.hello.version_min = 0;
  c.hello.version_max = 999;
  CHECK_FALSE(c.Judge());
}

TEST_CASE("once the roster is known the initial members no longer matter") {
  Case c;
  c.hello.bootstrap_digest = 78;
  c.facts.knows_roster = true;
  CHECK_FALSE(c.Judge());
}

// Every flaw at once, mended one after the other: what is reported is the order of the contract.
TEST_CASE("the first flaw in the order of the contract is reported") {
  Case c;
  c.hello.cluster_id = "vegetables";
  c.hello.version_min = 900;
  c.hello.version_max = 901;
  c.hello.nonce = c.facts.nonce;
  c.hello.node = NodeId(1);
  c.dialled = NodeId(2);
  c.is_member = false;
  c.hello.bootstrap_digest = 78;
  c.pinned = Incarnation(201);
  c.is_live = true;
  c.hello.known_incarnation = Incarnation(99);
  CHECK(c.Judge() == RaftErrc::ClusterIdMismatch);
  c.hello.cluster_id = "fruit";
  CHECK(c.Judge() == RaftErrc::VersionMismatch);
  c.hello.version_min = 1;
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);  // itself
  c.hello.nonce = 22;
  CHECK(c.Judge() == RaftErrc::DuplicateNodeId);
  c.hello.node = NodeId(3);
  c.is_member = true;
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);  // not the dialled one
  c.hello.node = NodeId(2);
  c.is_member = false;
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);  // no member
  c.is_member = true;
  CHECK(c.Judge() == RaftErrc::BootstrapMismatch);
  c.hello.bootstrap_digest = 77;
  CHECK(c.Judge() == RaftErrc::DuplicateNodeId);  // a live pin
  c.is_live = false;
  CHECK(c.Judge() == RaftErrc::IdentityReplaced);
  c.pinned = Incarnation(200);
  CHECK(c.Judge() == RaftErrc::UnexpectedPeer);  // it means another incarnation of this node
  c.hello.known_incarnation = Incarnation(100);
  CHECK_FALSE(c.Judge());
}

}  // namespace
}  // namespace kommander::cluster
