#include "codec/entry_body.hpp"

#include <random>
#include <string>
#include <vector>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::codec;

namespace {

Payload Encode(const std::vector<EntryBodyItem>& items) {
  Payload body;
  REQUIRE(!EncodeEntryBody(items, body));
  REQUIRE(body.size() == EntryBodySize(items));
  return body;
}

}  // namespace

TEST_CASE("entry body: golden bytes") {
  const Payload body = Encode({{"ab", Payload("xyz")}, {"", Payload()}});
  const std::string expected("\x02\0\0\0\x02\0\x03\0\0\0abxyz\0\0\0\0\0\0", 21);
  CHECK(body.text() == expected);
}

TEST_CASE("entry body: what was encoded is decoded, without a copy") {
  const std::string big(100'000, 'q');
  const Payload body =
      Encode({{"first", AsBytes("1")}, {"second", AsBytes(big)}, {"", ByteSpan()}});
  std::vector<DecodedBodyItem> items(1);
  REQUIRE(DecodeEntryBody(body, items));
  REQUIRE(items.size() == 4);
  CHECK(items[1].type == "first");
  CHECK(items[1].data.text() == "1");
  CHECK(items[2].type == "second");
  CHECK(items[2].data.text() == big);
  CHECK(items[2].data.data() > body.data());
  CHECK(items[2].data.data() < body.data() + body.size());
  CHECK(items[3].type.empty());
  CHECK(items[3].data.empty());
}

TEST_CASE("entry body: an empty list") {
  const Payload body = Encode({});
  std::vector<DecodedBodyItem> items;
  CHECK(DecodeEntryBody(body, items));
  CHECK(items.empty());
}

TEST_CASE("entry body: a type that does not fit is refused") {
  const std::string fits(kEntryTypeBytesMax, 't');
  Encode({{fits, AsBytes("d")}});
  const std::string type(kEntryTypeBytesMax + 1, 't');
  Payload body("before");
  const std::vector<EntryBodyItem> items{{type, AsBytes("d")}};
  CHECK(EncodeEntryBody(items, body) == RaftErrc::InvalidArgument);
  CHECK(body.text() == "before");
}

TEST_CASE("entry body: every truncation and every surplus is refused") {
  const std::string whole(Encode({{"ab", Payload("xyz")}, {"c", Payload("defg")}}).text());
  std::vector<DecodedBodyItem> items(2);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK_FALSE(DecodeEntryBody(Payload(whole.substr(0, size)), items));
    CHECK(items.size() == 2);
  }
  CHECK_FALSE(DecodeEntryBody(Payload(whole + "x"), items));
  CHECK(items.size() == 2);
}

TEST_CASE("entry body: a count of four thousand million allocates nothing") {
  std::vector<DecodedBodyItem> items;
  CHECK_FALSE(DecodeEntryBody(Payload(std::string("\xff\xff\xff\xff"
                                                  "1234567890",
                                                  14)),
                              items));
  CHECK(items.capacity() == 0);
}

TEST_CASE("entry body: damaged bodies are refused or encode to the same bytes again") {
  std::mt19937_64 random(7);
  const std::string whole(
      Encode({{"ab", Payload("xyz")}, {"c", Payload("defg")}, {"ab", Payload()}}).text());
  for (int round = 0; round < 20'000; ++round) {
    std::string damaged = whole;
    for (auto left = 1 + random() % 3; left != 0; --left) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    const Payload body(damaged);
    std::vector<DecodedBodyItem> items;
    if (!DecodeEntryBody(body, items)) continue;
    std::vector<EntryBodyItem> again;
    for (const auto& item : items) again.emplace_back(item.type, item.data);
    CHECK(Encode(again) == body);
  }
}
