#include <random>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rest/base64.hpp"
#include "rest/json_messages.hpp"
#include "rest/json_text.hpp"
#include "unit/codec/random_messages.hpp"

namespace kommander::rest {
namespace {

using codec::FrameError;
using codec::Route;
using codec::testing::MessageSource;

const Route kRoute{NodeId(7), NodeId(9)};

std::string Encode(const std::vector<Message>& messages, std::uint64_t sequence = 0) {
  BatchWriter writer;
  writer.Begin(kRoute, sequence);
  for (const Message& message : messages) REQUIRE(writer.Add(message));
  return writer.Finish();
}
FrameError Decode(const std::string& text, const Route& route = kRoute) {
  Batch batch;
  return DecodeBatch(text, route, batch);
}
// The same message with one text replaced, which must be there.
std::string Spoilt(std::string text, const std::string& what, const std::string& by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

Message Beat() {
  Message message(PartitionId(3), NodeId(7), NodeId(9), Term(5), Heartbeat(LogIndex(8), 6));
  message.stamp = HlcTimestamp(1000, 2, NodeId(7));
  return message;
}

TEST_CASE("what is written is read again, whatever it is") {
  MessageSource source(1);
  for (int round = 0; round < 2000; ++round) {
    const std::vector<Message> messages = source.Batch(1 + source.Number() % 8);
    const std::uint64_t sequence = source.Number();
    const std::string text = Encode(messages, sequence);
    Batch batch;
    REQUIRE(DecodeBatch(text, kRoute, batch) == FrameError::kNone);
    REQUIRE(batch.sequence == sequence);
    REQUIRE((batch.messages == messages));
    REQUIRE(Encode(batch.messages, sequence) == text);
  }
}

TEST_CASE("every type of message has its text") {
  const auto text = [](const MessageBody& body) {
    Message message(PartitionId(3), NodeId(7), NodeId(9), Term(5), body);
    message.stamp = HlcTimestamp(1000, 2, NodeId(7));
    const std::string whole = Encode({message}, 4);
    const std::string head = R"({"from":7,"to":9,"sequence":4,"messages":[{"type":")";
    const std::string stamp = R"(","partition":3,"term":5,"stamp":{"l":1000,"c":2})";
    REQUIRE(whole.substr(0, head.size()) == head);
    const std::size_t at = whole.find(stamp);
    REQUIRE(at != std::string::npos);
    return whole.substr(head.size(), at - head.size()) +
           whole.substr(at + stamp.size(), whole.size() - at - stamp.size() - 3);
  };
  VoteRequest vote(LogIndex(1), Term(2), true, false);
  vote.admits = Incarnation(~std::uint64_t{0});
  CHECK(text(vote) == R"(voteRequest,"lastIndex":1,"lastTerm":2,"preVote":true,"transfer":false,)"
                      R"("admits":18446744073709551615)");
  CHECK(text(VoteReply(false, true)) == R"(voteReply,"preVote":false,"granted":true)");
  const Entry entry(Term(4), LogIndex(9), EntryKind::kPrepared, Ticket(5, 6, NodeId(7)), "\xff");
  CHECK(text(AppendRequest(LogIndex(1), Term(2), LogIndex(3), {entry, Entry()})) ==
        R"(appendRequest,"previousIndex":1,"previousTerm":2,"commit":3,"entries":[)"
        R"({"term":4,"index":9,"ticket":{"n":7,"l":5,"c":6},"kind":3,"body":"/w=="},)"
        R"({"term":0,"index":0,"ticket":{"n":0,"l":0,"c":0},"kind":0,"body":""}])");
  CHECK(text(AppendReply(true, LogIndex(1), LogIndex(2), LogIndex(3), Term(4))) ==
        R"(appendReply,"accepted":true,"matched":1,"rejected":2,"hintIndex":3,"hintTerm":4)");
  CHECK(text(Heartbeat(LogIndex(1), 2)) == R"(heartbeat,"commit":1,"round":2)");
  CHECK(text(HeartbeatReply(1, LogIndex(2))) == R"(heartbeatReply,"round":1,"durable":2)");
  CHECK(text(ReadIndexRequest(1)) == R"(readIndexRequest,"request":1)");
  CHECK(text(ReadIndexReply(1, true, LogIndex(2))) ==
        R"(readIndexReply,"request":1,"confirmed":true,"index":2)");
  CHECK(text(TransferRequest()) == "transferRequest");
  CHECK(text(SnapshotOffer(SnapshotInfo(LogIndex(1), Term(2), 3, {}))) ==
        R"(snapshotOffer,"index":1,"snapshotTerm":2,"bytes":3,)"
        R"("sha256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")");
  CHECK(text(SnapshotChunk(LogIndex(1), 2, "abc")) ==
        R"(snapshotChunk,"index":1,"offset":2,"data":"YWJj")");
  CHECK(text(SnapshotReply(LogIndex(1), 2, SnapshotReply::State::kRefused)) ==
        R"(snapshotReply,"index":1,"received":2,"state":2)");
  ForwardRequest request;
  request.number = 1;
  request.patience_ms = 2;
  request.expected_generation = Generation(3);
  request.await_apply = true;
  request.body = "x";
  CHECK(text(request) ==
        R"(forwardRequest,"number":1,"patienceMs":2,"expectedGeneration":3,"kind":1,)"
        R"("awaitApply":true,"data":"eA==")");
  ForwardReply reply;
  reply.number = 1;
  reply.error = 20;
  reply.leader = NodeId(3);
  reply.ticket = Ticket(4, 5, NodeId(6));
  reply.index = LogIndex(7);
  reply.term = Term(8);
  reply.count = 9;
  CHECK(text(reply) ==
        R"(forwardReply,"number":1,"error":20,"leader":3,"ticket":{"n":6,"l":4,"c":5},)"
        R"("index":7,"entryTerm":8,"count":9)");
}

TEST_CASE("what is not exactly a batch is refused whole") {
  const std::string good = Encode({Beat(), Beat()});
  REQUIRE(Decode(good) == FrameError::kNone);
  const std::vector<std::pair<std::string, std::string>> wrongs{
      {R"("round":6)", R"("round":-6)"},
      {R"("round":6)", R"("round":6.0)"},
      {R"("round":6)", R"("round":6e0)"},
      {R"("round":6)", R"("round":"6")"},
      {R"("round":6)", R"("round":null)"},
      {R"("round":6)", R"("round":[6])"},
      {R"("round":6)", R"("round":18446744073709551616)"},
      {R"("round":6)", R"("round":06)"},
      {R"("round":6)", R"("round":6,"round":6)"},
      {R"("round":6)", R"("round":6,"more":1)"},
      {R"("round":6)", R"("Round":6)"},
      {R"(,"round":6)", ""},
      {R"("partition":3)", R"("partition":4294967296)"},
      {R"("c":2)", R"("c":4194304)"},
      {R"("l":1000)", R"("l":4398046511104)"},
      {R"("l":1000)", R"("l":1000,"n":7)"},
      {R"("heartbeat")", R"("Heartbeat")"},
      {R"("heartbeat")", R"("nonsense")"},
      {R"("heartbeat")", R"("voteRequest")"},
      {R"("type":"heartbeat")", R"("type":5)"},
      {R"("heartbeat")", "\"heartbeat\xff\""},
      {R"("heartbeat")", "\"\xed\xa0\x80\""},
      {R"({"type")", R"(1,{"type")"},
      {R"("sequence":0)", R"("sequence":-1)"},
      {R"("sequence":0)", R"("sequence":-0)"},
      {R"("from":7)", R"("from":7,"from":7)"},
      {R"("from":7)",
       R"("from":7,"also":[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]])"},
      {"]}", "],}"},
      {"]}", "]"},
      {"]}", "]}x"},
      {"{", "[{"},
      {"{", "/**/{"},
      {"{", "\xef\xbb\xbf{"}};
  for (const auto& [what, by] : wrongs) {
    CAPTURE(what, by);
    CHECK(Decode(Spoilt(good, what, by)) == FrameError::kCorrupt);
  }
  CHECK(Decode("") == FrameError::kCorrupt);
  CHECK(Decode("[]") == FrameError::kCorrupt);
  CHECK(Decode(good, Route{NodeId(8), NodeId(9)}) == FrameError::kForeign);
  CHECK(Decode(good, Route{NodeId(7), NodeId(8)}) == FrameError::kForeign);
  // The order of names does not matter, nor does space between them.
  CHECK(Decode(Spoilt(good, R"("from":7,"to":9)", R"( "to" : 9, "from": 7)")) == FrameError::kNone);
}

TEST_CASE("bytes have one spelling") {
  const Message chunk(PartitionId(1), NodeId(7), NodeId(9), Term(1),
                      SnapshotChunk(LogIndex(1), 2, "ab"));
  const std::string good = Encode({chunk});
  for (const char* wrong : {"YWI", "YWI==", "YWJ=", "Y===", "====", "YW=I", "YWI=YWI=", "YW I",
                            "YWI\\n", "YW-=", "_WI="}) {
    CAPTURE(wrong);
    CHECK(Decode(Spoilt(good, "YWI=", wrong)) == FrameError::kCorrupt);
  }
  std::mt19937_64 random(1);
  for (std::size_t size = 0; size < 300; ++size) {
    std::string bytes(size, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    std::vector<std::byte> decoded;
    REQUIRE(DecodeBase64(Base64(AsBytes(bytes)), decoded));
    REQUIRE(AsText(decoded) == bytes);
  }
}

TEST_CASE("a batch has a bound, which one message more may meet") {
  BatchWriter writer;
  writer.Begin(kRoute, 1);
  const Message large(PartitionId(1), NodeId(7), NodeId(9), Term(1),
                      SnapshotChunk(LogIndex(1), 2, std::string(15u << 20, 'x')));
  REQUIRE(writer.Add(large));
  const std::size_t before = writer.bytes();
  CHECK_FALSE(writer.Add(large));
  CHECK(writer.bytes() == before);
  CHECK(writer.count() == 1);
  REQUIRE(writer.Add(Beat()));
  Batch batch;
  REQUIRE(DecodeBatch(writer.Finish(), kRoute, batch) == FrameError::kNone);
  CHECK((batch.messages == std::vector<Message>{large, Beat()}));
}

TEST_CASE("greetings are read again, and nothing that is none") {
  codec::Greeting greeting;
  greeting.hello.cluster_id = "a \"cluster\"\n\xff";
  greeting.hello.node = NodeId(~0u);
  greeting.hello.incarnation = Incarnation(~std::uint64_t{0});
  greeting.hello.bootstrap_digest = 1;
  greeting.hello.knows_roster = true;
  greeting.hello.known_incarnation = Incarnation(2);
  greeting.hello.nonce = 3;
  greeting.to = NodeId(4);
  const std::string text = EncodeHello(greeting);
  CHECK(text.size() <= kGreetingTextMax);
  codec::Greeting read;
  REQUIRE(DecodeHello(text, read));
  CHECK(read == greeting);
  for (const auto& [what, by] : std::vector<std::pair<std::string, std::string>>{
           {R"("to":4)", R"("to":4294967296)"},
           {R"("versionMin":1)", R"("versionMin":65536)"},
           {R"("knowsRoster":true)", R"("knowsRoster":1)"},
           {R"(,"nonce":3)", ""},
           {R"("nonce":3)", R"("nonce":3,"token":1)"}}) {
    CAPTURE(what, by);
    CHECK_FALSE(DecodeHello(Spoilt(text, what, by), read));
  }
  std::string session;
  const std::string word = "0123456789abcdef0123456789abcdef";
  const std::string welcome = EncodeWelcome(word, greeting);
  REQUIRE(DecodeWelcome(welcome, session, read));
  CHECK(session == word);
  CHECK(read == greeting);
  // It goes into a header of each request.
  for (const char* wrong :
       {"", "0123", "0123456789ABCDEF0123456789abcdef", "0123456789abcdef0123456789abcde\\n"}) {
    CAPTURE(wrong);
    CHECK_FALSE(DecodeWelcome(Spoilt(welcome, word, wrong), session, read));
  }
  greeting.hello.cluster_id = std::string(257, 'c');
  CHECK_FALSE(DecodeHello(EncodeHello(greeting), read));
}

TEST_CASE("reasons are read again, and those that no peer may say are not") {
  for (const RaftErrc errc :
       {RaftErrc::ClusterIdMismatch, RaftErrc::DuplicateNodeId, RaftErrc::IdentityReplaced,
        RaftErrc::BootstrapMismatch, RaftErrc::VersionMismatch, RaftErrc::NodeIsNotReady,
        RaftErrc::NodeStopped, RaftErrc::UnexpectedPeer}) {
    error_code reason;
    REQUIRE(DecodeFarewell(EncodeFarewell(errc), reason));
    CHECK(reason == errc);
  }
  error_code reason = RaftErrc::NodeStopped;
  REQUIRE(DecodeFarewell(EncodeFarewell({}), reason));
  CHECK(!reason);
  for (const char* name : {"StorageFailed", "none", "", "anything"}) {
    REQUIRE(DecodeFarewell(std::string(R"({"reason":")") + name + "\"}", reason));
    CHECK(reason == RaftErrc::UnexpectedPeer);
    REQUIRE(DecodeRefusal(std::string(R"({"error":{"name":")") + name + R"(","message":"why"}})",
                          reason));
    CHECK(reason == RaftErrc::UnexpectedPeer);
  }
  for (const char* wrong : {"", "{}", R"({"reason":1})", R"({"reason":"None","more":1})", "[]"}) {
    CAPTURE(wrong);
    CHECK_FALSE(DecodeFarewell(wrong, reason));
    CHECK_FALSE(DecodeRefusal(wrong, reason));
  }
}

}  // namespace
}  // namespace kommander::rest
