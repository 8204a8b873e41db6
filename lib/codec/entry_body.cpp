// Entry bodies: the payloads of one batch as one run of bytes, and back.
#include "codec/entry_body.hpp"

#include <cstdint>
#include <limits>
#include <memory>
#include <utility>

#include "codec/little_endian.hpp"

namespace kommander::codec {

std::size_t EntryBodySize(std::span<const EntryBodyItem> items) noexcept {
  std::size_t size = kEntryBodyHeaderBytes;
  for (const auto& item : items) {
    size += kEntryBodyItemHeaderBytes + item.type.size() + item.data.size();
  }
  return size;
}

error_code EncodeEntryBody(std::span<const EntryBodyItem> items, Payload& body, ByteSpan header) {
  constexpr std::size_t kLengthMax = std::numeric_limits<std::uint32_t>::max();
  if (items.size() > kLengthMax) return RaftErrc::ProposalTooLarge;
  for (const auto& item : items) {
    if (item.type.size() > kEntryTypeBytesMax) return RaftErrc::InvalidArgument;
    if (item.data.size() > kLengthMax) return RaftErrc::ProposalTooLarge;
  }
  const std::size_t size = header.size() + EntryBodySize(items);
  auto buffer = std::make_shared_for_overwrite<std::byte[]>(size);
  ByteWriter writer(buffer.get());
  writer.PutBytes(header);
  writer.Put(static_cast<std::uint32_t>(items.size()));
  for (const auto& item : items) {
    writer.Put(static_cast<std::uint16_t>(item.type.size()));
    writer.Put(static_cast<std::uint32_t>(item.data.size()));
    writer.PutBytes(AsBytes(item.type));
    writer.PutBytes(item.data);
  }
  const ByteSpan bytes(buffer.get(), size);
  body = Payload(std::shared_ptr<const void>(std::move(buffer)), bytes);
  return {};
}

bool DecodeEntryBody(const Payload& body, std::vector<DecodedBodyItem>& items) {
  ByteReader reader(body.bytes());
  const std::size_t before = items.size();
  const auto count = reader.Get<std::uint32_t>();
  // A lying count must not make us reserve for items that cannot be there.
  if (!reader.ok() || count > reader.remaining() / kEntryBodyItemHeaderBytes) return false;
  items.reserve(before + count);
  for (std::uint32_t i = 0; i < count && reader.ok(); ++i) {
    const auto type_size = reader.Get<std::uint16_t>();
    const auto data_size = reader.Get<std::uint32_t>();
    const ByteSpan type = reader.GetBytes(type_size);
    const std::size_t data_offset = reader.offset();
    if (reader.GetBytes(data_size).size() != data_size) break;
    items.push_back({AsText(type), body.Slice(data_offset, data_size)});
  }
  if (reader.AtEnd()) return true;
  items.resize(before);
  return false;
}

}  // namespace kommander::codec
