// One record is one line, whatever its texts contain.
#include <kommander/logging.hpp>

#include "catch.hpp"

namespace kommander {
namespace {

std::string LineOf(std::string_view text) {
  const LogField field("text", text);
  LogRecord record;
  record.event = "e";
  record.node = NodeId(1);
  record.fields = {&field, 1};
  return ToLogfmt(record);
}

TEST_CASE("texts are quoted where they have to be") {
  CHECK(LineOf("plain/1.5") == "level=info event=e node=1 text=plain/1.5");
  CHECK(LineOf("") == R"(level=info event=e node=1 text="")");
  CHECK(LineOf("two words") == R"(level=info event=e node=1 text="two words")");
  CHECK(LineOf("a=b") == R"(level=info event=e node=1 text="a=b")");
  CHECK(LineOf("say \"no\" \\") == R"(level=info event=e node=1 text="say \"no\" \\")");
  CHECK(LineOf("x\nlevel=error") == R"(level=info event=e node=1 text="x\nlevel=error")");
  CHECK(LineOf(std::string_view("\r\x1b[31m\x7f\0", 8)) ==
        R"(level=info event=e node=1 text="\x0d\x1b[31m\x7f\x00")");
  CHECK(LineOf("größer") == "level=info event=e node=1 text=größer");
}

TEST_CASE("levels have these names") {
  CHECK(ToString(LogLevel::kDebug) == "debug");
  CHECK(ToString(LogLevel::kInfo) == "info");
  CHECK(ToString(LogLevel::kWarning) == "warning");
  CHECK(ToString(LogLevel::kError) == "error");
}

}  // namespace
}  // namespace kommander
