#include "codec/handshake.hpp"

#include <random>
#include <string>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::codec;

namespace {

Greeting Sample() {
  Greeting greeting;
  greeting.hello.cluster_id = "orders";
  greeting.hello.node = NodeId(1);
  greeting.hello.incarnation = Incarnation(0x1112131415161718);
  greeting.hello.bootstrap_digest = 0x2122232425262728;
  greeting.hello.knows_roster = true;
  greeting.hello.known_incarnation = Incarnation(0x3132333435363738);
  greeting.hello.nonce = 0x4142434445464748;
  greeting.to = NodeId(2);
  return greeting;
}

}  // namespace

TEST_CASE("handshake: golden bytes of a greeting") {
  const std::string expected(
      "\x01\0\0\0\x02\0\0\0"
      "\x18\x17\x16\x15\x14\x13\x12\x11"
      "\x01\0\x01\0\x01\0\x06\0"
      "\x28\x27\x26\x25\x24\x23\x22\x21"
      "\x38\x37\x36\x35\x34\x33\x32\x31"
      "\x48\x47\x46\x45\x44\x43\x42\x41"
      "orders",
      54);
  CHECK(EncodeGreeting(Sample()).text() == expected);
  Greeting decoded;
  REQUIRE(DecodeGreeting(AsBytes(expected), decoded));
  CHECK(decoded == Sample());
}

TEST_CASE("handshake: the cluster id is bounded") {
  Greeting greeting = Sample();
  greeting.hello.cluster_id.assign(kClusterIdBytesMax, 'c');
  Greeting decoded;
  REQUIRE(DecodeGreeting(EncodeGreeting(greeting).bytes(), decoded));
  CHECK(decoded == greeting);
  greeting.hello.cluster_id += 'c';
  CHECK(EncodeGreeting(greeting).empty());
}

TEST_CASE("handshake: damaged greetings are refused or encode to the same bytes") {
  std::mt19937_64 random(31);
  const std::string good(EncodeGreeting(Sample()).text());
  for (std::size_t size = 0; size < good.size(); ++size) {
    Greeting decoded;
    CHECK_FALSE(DecodeGreeting(AsBytes(good).first(size), decoded));
  }
  Greeting decoded;
  CHECK_FALSE(DecodeGreeting(AsBytes(good + "x"), decoded));
  for (int round = 0; round < 20'000; ++round) {
    std::string bad = good;
    bad[random() % bad.size()] = static_cast<char>(random());
    if (DecodeGreeting(AsBytes(bad), decoded)) CHECK(EncodeGreeting(decoded).text() == bad);
  }
}

TEST_CASE("handshake: golden bytes of a rejection") {
  const Payload bytes = EncodeReject(RaftErrc::VersionMismatch);
  const std::string text = make_error_code(RaftErrc::VersionMismatch).message();
  CHECK(bytes.text() ==
        std::string("\x40\0\0\0", 4) + static_cast<char>(text.size()) + '\0' + text);
  error_code reason;
  std::string told;
  REQUIRE(DecodeReject(bytes.bytes(), reason, told));
  CHECK(reason == RaftErrc::VersionMismatch);
  CHECK(told == text);
  CHECK_FALSE(DecodeReject(bytes.bytes().first(bytes.size() - 1), reason, told));
}

TEST_CASE("handshake: a rejection says only what a peer may say") {
  error_code reason;
  std::string text;
  for (const auto errc : {RaftErrc::StorageFailed, RaftErrc::OutcomeUnknown}) {
    REQUIRE(DecodeReject(EncodeReject(errc).bytes(), reason, text));
    CHECK(reason == RaftErrc::UnexpectedPeer);
  }
  REQUIRE(DecodeReject(EncodeReject(RaftErrc::NodeIsNotReady).bytes(), reason, text));
  CHECK(reason == RaftErrc::NodeIsNotReady);
  const error_code other(5, boost::system::system_category());
  REQUIRE(DecodeReject(EncodeReject(other).bytes(), reason, text));
  CHECK(reason == RaftErrc::UnexpectedPeer);
}

TEST_CASE("handshake: what is refused without asking the host") {
  Hello local;
  local.cluster_id = "orders";
  local.node = NodeId(2);
  local.nonce = 99;
  const auto judge = [&](auto change, NodeId dialled = NodeId(0)) {
    Greeting greeting = Sample();
    change(greeting);
    return CheckGreeting(local, greeting, dialled);
  };
  CHECK(!judge([](Greeting&) {}));
  CHECK(!judge([](Greeting&) {}, NodeId(1)));
  CHECK(judge([](Greeting&) {}, NodeId(3)) == RaftErrc::UnexpectedPeer);
  CHECK(judge([](Greeting& g) { g.to = NodeId(3); }) == RaftErrc::UnexpectedPeer);
  CHECK(judge([](Greeting& g) { g.hello.node = NodeId(0); }) == RaftErrc::UnexpectedPeer);
  CHECK(judge([](Greeting& g) { g.hello.node = NodeId(2); }) == RaftErrc::DuplicateNodeId);
  CHECK(judge([](Greeting& g) { g.hello.nonce = 99; }) == RaftErrc::UnexpectedPeer);
  CHECK(judge([](Greeting& g) { g.hello.cluster_id = "Orders"; }) == RaftErrc::ClusterIdMismatch);
  CHECK(judge([](Greeting& g) { g.hello.version_min = g.hello.version_max = 2; }) ==
        RaftErrc::VersionMismatch);
  CHECK(judge([](Greeting& g) { g.hello.version_min = g.hello.version_max = 0; }) ==
        RaftErrc::VersionMismatch);
  CHECK(judge([](Greeting& g) { g.hello.version_min = 2; }) == RaftErrc::VersionMismatch);
  CHECK(!judge([](Greeting& g) { g.hello.version_max = 7; }));
}

TEST_CASE("handshake: the version is the highest in common, and both sides come to it") {
  const auto hello = [](unsigned low, unsigned high) {
    Hello made;
    made.version_min = static_cast<std::uint16_t>(low);
    made.version_max = static_cast<std::uint16_t>(high);
    return made;
  };
  CHECK(ChooseVersion(hello(1, 1), hello(1, 7)) == 1);
  CHECK(ChooseVersion(hello(1, 3), hello(2, 7)) == 3);
  CHECK(ChooseVersion(hello(1, 1), hello(2, 7)) == kNoVersion);
  CHECK(ChooseVersion(hello(0, 0xffff), hello(0xffff, 0xffff)) == 0xffff);
  // Every pair of small ranges, against what the words mean.
  for (unsigned code = 0; code < 6 * 6 * 6 * 6; ++code) {
    const Hello a = hello(code % 6, code / 6 % 6);
    const Hello b = hello(code / 36 % 6, code / 216);
    unsigned highest = 0;
    for (unsigned version = 1; version < 6; ++version) {
      const bool common = version >= a.version_min && version <= a.version_max &&
                          version >= b.version_min && version <= b.version_max;
      if (common) highest = version;
    }
    CAPTURE(code);
    CHECK(ChooseVersion(a, b) == highest);
    CHECK(ChooseVersion(b, a) == highest);
  }
}
