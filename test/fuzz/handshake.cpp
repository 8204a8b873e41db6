// What a stranger says first: greetings and rejections.
#include "codec/handshake.hpp"

#include "choices.hpp"
#include "codec/frame.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using codec::Greeting;

Greeting LocalGreeting() {
  Greeting greeting;
  greeting.hello.cluster_id = "harbour";
  greeting.hello.node = NodeId(9);
  greeting.hello.incarnation = Incarnation(77);
  greeting.hello.bootstrap_digest = 5;
  greeting.hello.nonce = 4;
  greeting.to = NodeId(7);
  return greeting;
}

// Refused, or somebody whom this node may speak to.
void Judge(const Greeting& greeting, NodeId dialled) {
  const Hello local = LocalGreeting().hello;
  const error_code error = codec::CheckGreeting(local, greeting, dialled);
  if (error) return FUZZ_REQUIRE(error.category() == RaftCategory());
  FUZZ_REQUIRE(greeting.hello.cluster_id == local.cluster_id && greeting.to == local.node);
  FUZZ_REQUIRE(greeting.hello.node && greeting.hello.node != local.node);
  FUZZ_REQUIRE(!dialled || dialled == greeting.hello.node);
  FUZZ_REQUIRE(greeting.hello.version_min <= local.version_max &&
               local.version_min <= greeting.hello.version_max);
}

Greeting Choose(Choices& choices) {
  Greeting greeting;
  Hello& hello = greeting.hello;
  hello.cluster_id = choices.Coin() ? "harbour" : choices.Text(255);
  if (choices.Byte() == 0xff) hello.cluster_id.resize(250 + choices.Below(16), 'c');
  hello.node = NodeId(choices.Number32());
  hello.incarnation = Incarnation(choices.Number());
  hello.version_min = static_cast<std::uint16_t>(choices.Number());
  hello.version_max = static_cast<std::uint16_t>(choices.Number());
  hello.bootstrap_digest = choices.Number();
  hello.knows_roster = choices.Coin();
  hello.known_incarnation = Incarnation(choices.Number());
  hello.nonce = choices.Number();
  greeting.to = NodeId(choices.Number32());
  return greeting;
}

void RunGreeting(ByteSpan input) {
  Choices choices(input);
  Greeting greeting;
  if (choices.Coin()) {
    const Greeting chosen = Choose(choices);
    const Payload bytes = codec::EncodeGreeting(chosen);
    const bool fits = chosen.hello.cluster_id.size() <= codec::kClusterIdBytesMax;
    FUZZ_REQUIRE(bytes.empty() == !fits && bytes.size() <= codec::kHandshakeBytesMax);
    if (!fits) return;
    FUZZ_REQUIRE(codec::DecodeGreeting(bytes.bytes(), greeting) && greeting == chosen);
  } else {
    const ByteSpan bytes = choices.rest();
    if (!codec::DecodeGreeting(bytes, greeting)) return;
    FUZZ_REQUIRE(codec::EncodeGreeting(greeting) == Payload(bytes));
  }
  Judge(greeting, NodeId());
  Judge(greeting, NodeId(7));
}

std::vector<std::string> GreetingSeeds() {
  Greeting greeting = LocalGreeting();
  std::vector<std::string> seeds;
  for (const char* cluster : {"harbour", "", "another"}) {
    greeting.hello.cluster_id = cluster;
    greeting.hello.node = NodeId(7);
    greeting.to = NodeId(9);
    greeting.hello.nonce = 8;
    seeds.push_back('\0' + std::string(codec::EncodeGreeting(greeting).text()));
  }
  seeds.push_back({1, 1, 0, 7, 3, 1, 1, 5, 0, 0, 8, 9});
  seeds.push_back({1, 0, 3, 'a', 'b', 'c', 0, 7, 3, 1, 2, 5, 1, 77, 8, 9});
  return seeds;
}

// Everything that a peer may make this node believe.
bool IsBelieved(const error_code& error) {
  return error == RaftErrc::NodeIsNotReady || error == RaftErrc::NodeStopped ||
         (error.category() == RaftCategory() &&
          error.value() >= static_cast<int>(RaftErrc::ClusterIdMismatch));
}

void RunReject(ByteSpan input) {
  Choices choices(input);
  error_code reason;
  std::string text;
  if (choices.Coin()) {
    const error_code chosen(static_cast<int>(choices.Number32()),
                            choices.Coin() ? RaftCategory() : boost::system::system_category());
    const Payload bytes = codec::EncodeReject(chosen);
    FUZZ_REQUIRE(bytes.size() <= codec::kHandshakeBytesMax);
    FUZZ_REQUIRE(codec::DecodeReject(bytes.bytes(), reason, text));
    FUZZ_REQUIRE(chosen.message().starts_with(text));
    FUZZ_REQUIRE(reason == chosen || reason == RaftErrc::UnexpectedPeer);
  } else if (!codec::DecodeReject(choices.rest(), reason, text)) {
    return;
  }
  FUZZ_REQUIRE(IsBelieved(reason) && !reason.message().empty());
  FUZZ_REQUIRE(text.size() <= codec::kRejectTextBytesMax);
}

std::vector<std::string> RejectSeeds() {
  std::vector<std::string> seeds;
  for (const RaftErrc errc : {RaftErrc::NodeStopped, RaftErrc::ClusterIdMismatch,
                              RaftErrc::StorageFailed, RaftErrc::UnexpectedPeer}) {
    seeds.push_back('\0' + std::string(codec::EncodeReject(errc).text()));
    seeds.push_back({1, static_cast<char>(errc), 1});
  }
  return seeds;
}

}  // namespace

constexpr Target kGreetingTarget{"greeting", &RunGreeting, &GreetingSeeds};
constexpr Target kRejectTarget{"reject", &RunReject, &RejectSeeds};

}  // namespace kommander::fuzz
