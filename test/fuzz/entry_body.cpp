// The body of an application entry, which leaves the disk and the wire alike.
#include "codec/entry_body.hpp"

#include "choices.hpp"
#include "target.hpp"

namespace kommander::fuzz {
namespace {

using codec::DecodedBodyItem;
using codec::EntryBodyItem;

void Run(ByteSpan input) {
  Choices choices(input);
  std::vector<DecodedBodyItem> decoded(1);  // what stood there stays
  Payload body;
  std::vector<EntryBodyItem> items;
  const bool from_values = choices.Coin();
  if (from_values) {
    while (!choices.AtEnd()) {
      const std::string_view type = AsText(choices.Bytes(40));
      items.emplace_back(type, choices.Bytes(200));
    }
    FUZZ_REQUIRE(!codec::EncodeEntryBody(items, body));
    FUZZ_REQUIRE(body.size() == codec::EntryBodySize(items));
  } else {
    body = Payload(choices.rest());
  }
  const bool accepted = codec::DecodeEntryBody(body, decoded);
  FUZZ_REQUIRE(accepted || (!from_values && decoded.size() == 1));
  if (!accepted) return;
  FUZZ_REQUIRE(!from_values || decoded.size() == items.size() + 1);
  std::vector<EntryBodyItem> again;
  for (std::size_t i = 1; i < decoded.size(); ++i) {
    again.emplace_back(decoded[i].type, decoded[i].data);
    FUZZ_REQUIRE(!from_values || again.back().type == items[i - 1].type);
    FUZZ_REQUIRE(!from_values || decoded[i].data == Payload(items[i - 1].data));
  }
  Payload encoded;
  FUZZ_REQUIRE(!codec::EncodeEntryBody(again, encoded) && encoded == body);
}

std::vector<std::string> Seeds() {
  std::vector<std::string> seeds{{1, 3, 'k', 'e', 'y', 2, 'a', 'b', 0, 0, 1, 'z', 0}};
  for (std::size_t count = 0; count < 4; ++count) {
    const std::vector<EntryBodyItem> items(count, EntryBodyItem("Greeting", AsBytes("hello")));
    Payload body;
    FUZZ_REQUIRE(!codec::EncodeEntryBody(items, body));
    seeds.push_back('\0' + std::string(body.text()));
  }
  return seeds;
}

}  // namespace

constexpr Target kEntryBodyTarget{"entry_body", &Run, &Seeds};

}  // namespace kommander::fuzz
