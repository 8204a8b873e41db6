// The body of an application entry: the payloads of one batch, which are replicated, stored and
// delivered together. Encoded once, by the proposer; the same buffer goes to the disk, to every
// peer and to the applier. Bytes: docs/protocol.md.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include <kommander/errors.hpp>
#include <kommander/payload.hpp>

namespace kommander::codec {

inline constexpr std::size_t kEntryBodyHeaderBytes = 4;      // the count
inline constexpr std::size_t kEntryBodyItemHeaderBytes = 6;  // the two lengths
inline constexpr std::size_t kEntryTypeBytesMax = 0xffff;

// What is encoded: views of the caller's bytes.
struct EntryBodyItem {
  EntryBodyItem() = default;
  EntryBodyItem(std::string_view item_type, ByteSpan item_data)
      : type(item_type), data(item_data) {}
  EntryBodyItem(std::string_view item_type, const Payload& item_data)
      : EntryBodyItem(item_type, item_data.bytes()) {}
  std::string_view type;
  ByteSpan data;
};

// What was decoded. `type` points into the body that it was decoded from; `data` shares it.
struct DecodedBodyItem {
  std::string_view type;
  Payload data;
};

// The exact size of the encoded body.
[[nodiscard]] std::size_t EntryBodySize(std::span<const EntryBodyItem> items) noexcept;

// One allocation, each byte copied once. InvalidArgument: a type longer than kEntryTypeBytesMax;
// ProposalTooLarge: a length that the format cannot hold. `body` is only set on success; it begins
// with the bytes of `header`, which are none of the body's own.
[[nodiscard]] error_code EncodeEntryBody(std::span<const EntryBodyItem> items, Payload& body,
                                         ByteSpan header = {});

// Appends the items to `items`. False, with `items` as it was, unless every byte of `body` is
// accounted for: what is accepted encodes to the same bytes again.
[[nodiscard]] bool DecodeEntryBody(const Payload& body, std::vector<DecodedBodyItem>& items);

}  // namespace kommander::codec
