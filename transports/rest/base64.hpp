// Bytes as base64 (RFC 4648, section 4, with padding): how JSON carries what is no text.
#pragma once

#include <string>

#include <kommander/payload.hpp>

namespace kommander::rest {

[[nodiscard]] std::string Base64(ByteSpan bytes);

}  // namespace kommander::rest
