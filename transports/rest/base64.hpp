// Bytes as base64 (RFC 4648, section 4, with padding): how JSON carries what is no text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/payload.hpp>

namespace kommander::rest {

void AppendBase64(ByteSpan bytes, std::string& text);
[[nodiscard]] std::string Base64(ByteSpan bytes);

// False: the text is not what AppendBase64 makes of any bytes; `bytes` is then empty. Its length is
// looked at before anything is allocated.
[[nodiscard]] bool DecodeBase64(std::string_view text, std::vector<std::byte>& bytes);

}  // namespace kommander::rest
