// Strangers who speak HTTP to a node: how its server takes their bytes apart, what its routes
// answer, and how it reads the JSON of its peers.
#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>

#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/raft_routes.hpp>
#include <kommander/steady_clock.hpp>

#include "rest/json_messages.hpp"
#include "rest/request_reader.hpp"
#include "rest/response_text.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using rest::RequestReader;
using State = RequestReader::State;

constexpr std::size_t kBodyMax = 64;

struct Seen {
  std::vector<std::string> requests;  // with all that is told of each
  unsigned refused = 0;
  State state = State::kBetween;
  friend bool operator==(const Seen&, const Seen&) = default;
};

Seen Feed(std::string_view bytes, std::size_t piece) {
  RequestReader reader(
      [](const RestRequest& request) { return request.method == "POST" ? kBodyMax : 0; });
  Seen seen;
  while (!bytes.empty() && reader.state() != State::kRefused) {
    const auto room = reader.Prepare();
    FUZZ_REQUIRE(!room.empty());
    const std::size_t count = std::min({bytes.size(), piece, room.size()});
    std::memcpy(room.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    reader.Commit(count);
    while (reader.state() == State::kRequest) {
      const bool is_kept = reader.keep_alive();
      const RestRequest request = reader.TakeRequest();
      FUZZ_REQUIRE(!request.method.empty() && !request.target.empty());
      FUZZ_REQUIRE(request.body.size() <= (request.method == "POST" ? kBodyMax : 0));
      seen.requests.push_back((is_kept ? "kept " : "last ") + request.method + ' ' +
                              request.target + ' ' + request.body);
      reader.Resume();
    }
  }
  seen.refused = reader.refusal().status;
  seen.state = reader.state();
  return seen;
}

// The first byte says how large the pieces are in which the rest comes: what is made of it is the
// same as if it came at once, so no reader before this one can have seen other requests.
void RunReader(ByteSpan input) {
  const std::string_view text = AsText(input);
  if (text.empty()) return;
  const std::size_t piece = static_cast<std::uint8_t>(text[0]) % 32 + 1;
  const Seen whole = Feed(text.substr(1), text.size());
  const Seen pieces = Feed(text.substr(1), piece);
  FUZZ_REQUIRE(pieces == whole);
  FUZZ_REQUIRE((whole.state == State::kRefused) == (whole.refused != 0));
}

std::vector<std::string> ReaderSeeds() {
  const std::string head = " HTTP/1.1\r\nHost: x\r\n";
  const std::string post = "POST /a" + head + "Content-Length: 5\r\n\r\nhello";
  return {"\x02" + post + "GET /b" + head + "\r\n" + post,
          "\x01POST /a" + head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
          "\x05POST /a" + head + "Content-Length: 5, 5\r\n\r\nhello",
          "\x1fPOST /a" + head + "Expect: 100-continue\r\nContent-Length: 64\r\n\r\n",
          "\x03GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
          "\x04GET /" + head + "Connection: upgrade\r\nUpgrade: h2c\r\na: b\r\n c\r\n\r\n"};
}

// A method, a space and a target, as the node of a cluster of one that has not joined hears them.
void RunRoutes(ByteSpan input) {
  static boost::asio::io_context context(1);
  static const NodeAddress self(NodeId(1), Endpoint("node", 1));
  static const RaftManager raft(
      context.get_executor(),
      RaftConfiguration().Id(self.id).Listen(self.endpoint).InitialMembers({self}),
      std::make_shared<MemoryWal>(), MemoryNetwork::Create()->CreateTransport(MakeSteadyClock()),
      nullptr);
  static const RaftRoutes routes(raft);
  const std::string text(AsText(input));
  const std::size_t space = std::min(text.find(' '), text.size());
  RestRequest request(text.substr(0, space), text.substr(std::min(space + 1, text.size())));
  const bool is_owned = routes.Owns(request.target);
  int answers = 0;
  routes.Handle(std::move(request), [&](RestAnswer answer) {
    ++answers;
    FUZZ_REQUIRE(answer.status == 200 || answer.status == 400 || answer.status == 404 ||
                 answer.status == 405 || answer.status == 503);
    FUZZ_REQUIRE(is_owned || answer.status == 404);
    FUZZ_REQUIRE((answer.status == 405) == !answer.allow.empty());
    boost::system::error_code error;
    if (answer.content_type == "application/json") boost::json::parse(answer.body, error);
    FUZZ_REQUIRE(!error);
    const std::string head = rest::ResponseHead(answer, true, 0);
    FUZZ_REQUIRE(head.find("\r\n\r\n") == head.size() - 4);
  });
  FUZZ_REQUIRE(answers == 1);
}

std::vector<std::string> RoutesSeeds() {
  return {"GET /v1/cluster",
          "GET /v1/partitions?after=1&limit=1000",
          "GET /v1/partitions/65535",
          "HEAD /healthz?ready=1",
          "GET /metrics",
          "POST http://x/healthz",
          "GET /v1/partitions?limit=1&limit=2"};
}

const codec::Route kRoute{NodeId(7), NodeId(9)};

std::string BatchOf(const std::vector<Message>& messages, std::uint64_t sequence) {
  rest::BatchWriter writer;
  writer.Begin(kRoute, sequence);
  for (const Message& message : messages) FUZZ_REQUIRE(writer.Add(message));
  return writer.Finish();
}

// Whatever is accepted is written as something that is accepted, and means the same.
void RunMessages(ByteSpan input) {
  const std::string_view text = AsText(input);
  rest::Batch batch;
  if (rest::DecodeBatch(text, kRoute, batch) == codec::FrameError::kNone) {
    rest::Batch again;
    const std::string written = BatchOf(batch.messages, batch.sequence);
    FUZZ_REQUIRE(rest::DecodeBatch(written, kRoute, again) == codec::FrameError::kNone);
    FUZZ_REQUIRE(again.sequence == batch.sequence && again.messages == batch.messages);
  }
  codec::Greeting greeting;
  if (rest::DecodeHello(text, greeting)) {
    codec::Greeting again;
    FUZZ_REQUIRE(rest::DecodeHello(rest::EncodeHello(greeting), again) && again == greeting);
  }
  std::string session;
  if (rest::DecodeWelcome(text, session, greeting)) {
    FUZZ_REQUIRE(session.size() == rest::kSessionLetters);
  }
  error_code reason;
  if (rest::DecodeRefusal(text, reason)) FUZZ_REQUIRE(reason.failed());
}

std::vector<std::string> MessagesSeeds() {
  const auto one = [](MessageBody body) {
    Message message(PartitionId(3), kRoute.from, kRoute.to, Term(5), std::move(body));
    message.stamp = HlcTimestamp(1000, 2, kRoute.from);
    return message;
  };
  const Entry entry(Term(4), LogIndex(9), EntryKind::kPrepared, Ticket(5, 6, NodeId(7)), "body");
  std::vector<Message> messages;
  messages.push_back(one(VoteRequest(LogIndex(1), Term(2), true, false)));
  messages.push_back(one(VoteReply(true, false)));
  messages.push_back(one(AppendRequest(LogIndex(1), Term(2), LogIndex(3), {entry, entry})));
  messages.push_back(one(AppendReply(true, LogIndex(1), LogIndex(2), LogIndex(3), Term(4))));
  messages.push_back(one(Heartbeat(LogIndex(1), 2)));
  messages.push_back(one(HeartbeatReply(1, LogIndex(2))));
  messages.push_back(one(ReadIndexRequest(1)));
  messages.push_back(one(ReadIndexReply(1, true, LogIndex(2))));
  messages.push_back(one(TransferRequest()));
  messages.push_back(one(SnapshotOffer(SnapshotInfo(LogIndex(1), Term(2), 3, {}))));
  messages.push_back(one(SnapshotChunk(LogIndex(1), 2, "abc")));
  messages.push_back(one(SnapshotReply(LogIndex(1), 2, SnapshotReply::State::kRefused)));
  messages.push_back(one(ForwardRequest()));
  messages.push_back(one(ForwardReply()));
  std::vector<std::string> seeds{BatchOf(messages, 1), BatchOf({}, 2)};
  for (const Message& message : messages) seeds.push_back(BatchOf({message}, 3));
  codec::Greeting greeting;
  greeting.hello.cluster_id = "cluster";
  seeds.push_back(rest::EncodeHello(greeting));
  seeds.push_back(rest::EncodeWelcome(std::string(rest::kSessionLetters, 'a'), greeting));
  seeds.push_back(R"({"error":{"name":"NodeIsNotReady","message":"later"}})");
  return seeds;
}

}  // namespace

constexpr Target kRestMessagesTarget{"rest_messages", &RunMessages, &MessagesSeeds};
constexpr Target kRestReaderTarget{"rest_reader", &RunReader, &ReaderSeeds};
constexpr Target kRestRoutesTarget{"rest_routes", &RunRoutes, &RoutesSeeds};

}  // namespace kommander::fuzz
