// Strangers who speak HTTP to the key/value example: how it reads a request, and whole
// conversations over a socket. What it accepts is replicated, so every node has to be able to apply
// it.
#include <cerrno>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include "kv_request.hpp"
#include "kv_store.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using kv::Call;

constexpr std::uint32_t kPartitions = 3;

std::string PercentEncode(std::string_view text) {
  constexpr char kDigits[] = "0123456789aBcDeF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    encoded += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return encoded;
}

// As a write goes through the log of its partition.
void Apply(const Call& call) {
  kv::KvStore store;
  store.partitions.resize(kPartitions + 1);
  kv::json::object command = call.command;
  command["request"] = 5;
  store.answers[5];
  const PartitionId partition = call.type == "append" ? 1 : kPartitions;
  const RaftLog log(partition, LogIndex(9), 0, Term(1), Ticket(), call.type,
                    Payload(kv::json::serialize(command)));
  store.Apply({&log, 1});
  const kv::json::object& answer = store.answers.at(5);
  FUZZ_REQUIRE(!answer.empty());
  const kv::json::value& value = call.command.at("value");
  const auto& state = store.partitions[partition.value()];
  if (call.type == "append") {
    FUZZ_REQUIRE(state.lines.at(9).at("data") == value);
  } else if (call.type == "put") {
    FUZZ_REQUIRE(state.values.size() == 1 && state.values.at(call.key) == value);
  }
}

void Judge(const kv::Request& request) {
  const Call call = kv::ParseCall(request);
  if (call.refusal != 0) {
    FUZZ_REQUIRE(call.refusal == 400 || call.refusal == 404 || call.refusal == 413);
    FUZZ_REQUIRE(!call.why.empty());
    return;
  }
  if (call.type == "lines") return FUZZ_REQUIRE(call.limit <= 1000);
  if (call.type == "status" || call.type == "metrics") return;
  if (call.type != "append") {
    FUZZ_REQUIRE(!call.key.empty() && call.key.size() <= 512);
    FUZZ_REQUIRE(kv::PercentDecode(PercentEncode(call.key)) == call.key);
  }
  if (call.type == "read") return;
  FUZZ_REQUIRE(call.type == "append" || call.type == "put" || call.type == "delete" ||
               call.type == "cas");
  Apply(call);
}

// A byte for the method, the target up to the end of the line, the body.
void RunRequest(ByteSpan input) {
  using kv::http::verb;
  constexpr verb kVerbs[] = {verb::get, verb::put, verb::post, verb::delete_, verb::head};
  const std::string_view text = AsText(input);
  if (text.empty()) return;
  const std::size_t end = std::min(text.find('\n'), text.size());
  kv::Request request(kVerbs[static_cast<std::uint8_t>(text[0]) % std::size(kVerbs)],
                      text.substr(1, end - 1), 11);
  request.body() = text.substr(std::min(end + 1, text.size()));
  Judge(request);
}

std::vector<std::string> RequestSeeds() {
  const std::string get(1, '\0');
  const std::string put(1, '\1');
  const std::string post(1, '\2');
  const std::string remove(1, '\3');
  return {get + "/status",
          get + "/metrics",
          get + "/kv/a%20b%ff?local=1",
          get + "/log/1?from=5&limit=10",
          put + "/kv/key\nvalue \xc3\xa4",
          put + "/kv/%00\n\xff",
          post + "/log/2\nline",
          post + "/kv/key/cas\n{\"expect\":null,\"value\":\"new\"}",
          post + "/kv/key/cas\n{\"expect\":\"old\",\"value\":null}",
          remove + "/kv/key"};
}

// A client at one end of a pair of sockets and the example's server at the other, in one thread.
class Conversation {
 public:
  Conversation() {
    int ends[2];
    FUZZ_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    client_ = ends[0];
    const auto handler =
        std::make_shared<const kv::Handler>([this](const kv::Request* r) { return Answer(r); });
    boost::asio::co_spawn(context_,
                          kv::Serve(kv::tcp::socket(context_, kv::tcp::v4(), ends[1]), handler),
                          kv::Rethrow);
  }
  ~Conversation() { ::close(client_); }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Says all of it and hangs up; answers what the server said until it did, too.
  std::string Say(ByteSpan bytes) {
    while (!bytes.empty()) {
      const auto count = ::send(client_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      FUZZ_REQUIRE(count > 0 || errno == EINTR);  // the socket holds more than any input
      if (count > 0) bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    FUZZ_REQUIRE(::shutdown(client_, SHUT_WR) == 0);
    std::string heard;
    for (bool is_open = true; is_open;) {
      context_.restart();
      context_.poll();
      char piece[4096];
      const auto count = ::recv(client_, piece, sizeof piece, MSG_DONTWAIT);
      if (count > 0) heard.append(piece, static_cast<std::size_t>(count));
      is_open = count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
    }
    return heard;
  }

  // Of each request that was served.
  [[nodiscard]] const std::vector<bool>& are_heads() const noexcept { return are_heads_; }

 private:
  boost::asio::awaitable<kv::Response> Answer(const kv::Request* request) {
    are_heads_.push_back(request->method() == kv::http::verb::head);
    FUZZ_REQUIRE(request->body().size() <= kv::kBodyBytesMax);
    Judge(*request);
    const Call call = kv::ParseCall(*request);
    if (call.refusal != 0) co_return kv::Error(call.refusal, call.why);
    co_return kv::Answer(200, call.command);
  }

  boost::asio::io_context context_{1};
  int client_ = -1;
  std::vector<bool> are_heads_;
};

// Takes one answer off the front of what was heard; its status.
kv::http::status TakeAnswer(std::string_view& rest, bool is_to_head, bool may_lack_body) {
  kv::http::response_parser<kv::http::string_body> parser;
  parser.eager(true);
  parser.skip(is_to_head);
  while (!parser.is_done() && !rest.empty()) {
    boost::system::error_code error;
    rest.remove_prefix(parser.put(boost::asio::buffer(rest), error));
    FUZZ_REQUIRE(!error);
  }
  FUZZ_REQUIRE(parser.is_done() || (may_lack_body && parser.is_header_done()));
  return parser.get().result();
}

void RunExchange(ByteSpan input) {
  Conversation conversation;
  const std::string heard = conversation.Say(input);
  // Whole answers, one for each request, and perhaps a last one to what was none; that may have
  // begun as HEAD, whose answers have no body.
  const std::vector<bool>& are_heads = conversation.are_heads();
  std::size_t answers = 0;
  for (std::string_view rest = heard; !rest.empty();) {
    const bool is_last = answers == are_heads.size();
    const bool is_to_head = !is_last && are_heads[answers];
    if (TakeAnswer(rest, is_to_head, is_last) != kv::http::status::continue_) ++answers;
  }
  FUZZ_REQUIRE(answers >= are_heads.size() && answers <= are_heads.size() + 1);
}

std::vector<std::string> ExchangeSeeds() {
  const std::string head = " HTTP/1.1\r\nHost: x\r\n";
  const std::string put = "PUT /kv/a%20b" + head + "Content-Length: 5\r\n\r\nvalue";
  const std::string get = "GET /kv/a?local=1" + head + "\r\n";
  return {put + get + put,
          "HEAD /status" + head + "\r\n" + get,
          "GET /status HTTP/1.0\r\n\r\n",
          "GET /log/1?from=1&limit=2" + head + "Connection: close\r\n\r\n" + get,
          "POST /kv/a/cas" + head +
              "Transfer-Encoding: chunked\r\n\r\n1f\r\n{\"expect\":null,\"value\":\"newest\"}\r\n"
              "0\r\n\r\n" +
              get,
          "POST /log/1" + head + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\nline",
          "PUT /kv/a" + head + "Content-Length: 99999999\r\n\r\nx"};
}

}  // namespace

constexpr Target kHttpRequestTarget{"http_request", &RunRequest, &RequestSeeds};
constexpr Target kHttpExchangeTarget{"http_exchange", &RunExchange, &ExchangeSeeds};

}  // namespace kommander::fuzz
