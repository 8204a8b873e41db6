#include <algorithm>

#include <kommander/logging.hpp>

namespace kommander {
namespace {

bool IsPlain(char letter) noexcept {
  return static_cast<unsigned char>(letter) > ' ' && letter != '"' && letter != '=' &&
         letter != '\\' && letter != '\x7f';
}

void AppendQuoted(std::string& line, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  line += '"';
  for (const char letter : text) {
    const auto code = static_cast<unsigned char>(letter);
    if (letter == '"' || letter == '\\') {
      line += '\\';
      line += letter;
    } else if (letter == '\n') {
      line += "\\n";
    } else if (code < 0x20 || code == 0x7f) {
      line += "\\x";
      line += kDigits[code >> 4];
      line += kDigits[code & 15];
    } else {
      line += letter;
    }
  }
  line += '"';
}

void Append(std::string& line, std::string_view key, std::string_view value) {
  if (!line.empty()) line += ' ';
  line += key;
  line += '=';
  if (!value.empty() && std::all_of(value.begin(), value.end(), IsPlain)) {
    line += value;
  } else {
    AppendQuoted(line, value);
  }
}

}  // namespace

std::string_view ToString(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::kDebug: return "debug";
    case LogLevel::kInfo: return "info";
    case LogLevel::kWarning: return "warning";
    case LogLevel::kError: return "error";
  }
  return "unknown";
}

std::string ToLogfmt(const LogRecord& record) {
  std::string line;
  Append(line, "level", ToString(record.level));
  Append(line, "event", record.event);
  Append(line, "node", std::to_string(record.node.value()));
  if (record.partition) Append(line, "partition", std::to_string(record.partition->value()));
  for (const LogField& field : record.fields) {
    if (const auto* number = std::get_if<std::uint64_t>(&field.value)) {
      Append(line, field.key, std::to_string(*number));
    } else {
      Append(line, field.key, std::get<std::string_view>(field.value));
    }
  }
  if (record.suppressed != 0) Append(line, "suppressed", std::to_string(record.suppressed));
  return line;
}

}  // namespace kommander
