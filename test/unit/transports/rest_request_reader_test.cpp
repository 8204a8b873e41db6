#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "catch.hpp"
#include "rest/base64.hpp"
#include "rest/request_reader.hpp"
#include "rest/response_text.hpp"

namespace kommander::rest {
namespace {

using State = RequestReader::State;

constexpr std::size_t kBodyMax = 100;

// What became of the bytes: each request as "METHOD TARGET BODY", a refusal as its status, and how
// it stands at the end.
struct Seen {
  std::vector<std::string> requests;
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
    REQUIRE_FALSE(room.empty());
    const std::size_t count = std::min({bytes.size(), piece, room.size()});
    std::memcpy(room.data(), bytes.data(), count);
    bytes.remove_prefix(count);
    reader.Commit(count);
    while (reader.state() == State::kRequest) {
      const RestRequest request = reader.TakeRequest();
      seen.requests.push_back(request.method + " " + request.target + " " + request.body);
      reader.Resume();
    }
  }
  seen.refused = reader.refusal().status;
  seen.state = reader.state();
  return seen;
}

// The same however the bytes come.
Seen FeedInAnyPieces(std::string_view bytes) {
  const Seen whole = Feed(bytes, bytes.size());
  for (std::size_t piece = 1; piece < 80; ++piece) {
    INFO(piece);
    CHECK(Feed(bytes, piece) == whole);
  }
  return whole;
}

const std::string kPost = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
const std::string kGet = "GET /b HTTP/1.1\r\nHost: x\r\n\r\n";

TEST_CASE("requests are read one after the other, in whatever pieces they come") {
  const Seen seen = FeedInAnyPieces(kPost + kGet + kPost);
  CHECK(seen.requests == std::vector<std::string>{"POST /a hello", "GET /b ", "POST /a hello"});
  CHECK(seen.refused == 0);
  CHECK(seen.state == State::kBetween);
}

TEST_CASE("a request is not there before its last byte") {
  for (std::size_t size = 1; size < kPost.size(); ++size) {
    const Seen seen = Feed(kPost.substr(0, size), size);
    INFO(size);
    CHECK(seen.requests.empty());
    CHECK(seen.refused == 0);
    CHECK(seen.state == (size < kPost.size() - 5 ? State::kHeader : State::kBody));
  }
}

TEST_CASE("a header has a bound, whether its fields are few or many, and come at once or singly") {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";
  const std::string end = "\r\n\r\n";
  const auto padded = [&](std::size_t size) {
    return start + "a: " + std::string(size - start.size() - 3 - end.size(), 'x') + end;
  };
  CHECK(FeedInAnyPieces(padded(kHeaderBytesMax)).requests.size() == 1);
  CHECK(FeedInAnyPieces(padded(kHeaderBytesMax + 1)).refused == 431);
  // Of a second request too.
  CHECK(FeedInAnyPieces(kPost + padded(kHeaderBytesMax + 1)).refused == 431);
  std::string many = start;
  for (int i = 0; i < 4000; ++i) many += "a: b\r\n";
  CHECK(FeedInAnyPieces(many).refused == 431);
  std::string hundred = start;
  for (int i = 1; i < 100; ++i) hundred += "a: b\r\n";
  CHECK(FeedInAnyPieces(hundred + "\r\n").requests.size() == 1);
  CHECK(FeedInAnyPieces(hundred + "a: b\r\n\r\n").refused == 431);
}

TEST_CASE("a body has the bound of its route, and one plain length") {
  const auto post = [](const std::string& fields) {
    return Feed("POST / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n\r\n" + std::string(100, 'b'),
                1000);
  };
  CHECK(post("Content-Length: 100").requests.size() == 1);
  CHECK(post("Content-Length: 101").refused == 413);
  CHECK(post("Content-Length: 18446744073709551615").refused == 400);
  CHECK(post("Content-Length: 18446744073709551616").refused == 400);
  CHECK(post("Content-Length: 100, 100").refused == 400);
  CHECK(post("Content-Length: 100\r\nContent-Length: 100").refused == 400);
  CHECK(post("Content-Length: 100\r\nTransfer-Encoding: chunked").refused == 400);
  CHECK(post("Transfer-Encoding: chunked\r\nContent-Length: 100").refused == 400);
  CHECK(post("Transfer-Encoding: chunked").refused == 411);
}

TEST_CASE("who waits to be told to go on is told once, and only for a body that comes") {
  const auto begin = [](RequestReader& reader, std::string_view text) {
    std::memcpy(reader.Prepare().data(), text.data(), text.size());
    reader.Commit(text.size());
  };
  RequestReader reader([](const RestRequest&) { return kBodyMax; });
  begin(reader, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  CHECK(reader.state() == State::kBody);
  CHECK(reader.TakeExpectation());
  CHECK_FALSE(reader.TakeExpectation());
  begin(reader, "ab");
  CHECK(reader.TakeRequest().body == "ab");
  reader.Resume();
  begin(reader, "GET / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n");
  CHECK(reader.state() == State::kRequest);
  CHECK_FALSE(reader.TakeExpectation());
}

TEST_CASE("bytes become base64 as in RFC 4648") {
  CHECK(Base64(AsBytes("")).empty());
  CHECK(Base64(AsBytes("f")) == "Zg==");
  CHECK(Base64(AsBytes("fo")) == "Zm8=");
  CHECK(Base64(AsBytes("foo")) == "Zm9v");
  CHECK(Base64(AsBytes("foob")) == "Zm9vYg==");
  CHECK(Base64(AsBytes("\xff\xfe\xfd")) == "//79");
}

TEST_CASE("the head of an answer says its length, its type and the date") {
  RestAnswer answer(405, "application/json", "12345");
  answer.allow = "GET, HEAD";
  CHECK(ResponseHead(answer, false, 784111777999) ==
        "HTTP/1.1 405 Method Not Allowed\r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: application/json\r\n"
        "Content-Length: 5\r\n"
        "Cache-Control: no-store\r\n"
        "Allow: GET, HEAD\r\n"
        "Connection: close\r\n\r\n");
}

}  // namespace
}  // namespace kommander::rest
