// What a file of records means, and what is none.
#include "records.hpp"

#include <sstream>

#include "catch.hpp"

using namespace kommander::checkers;

namespace {

Records ReadText(const std::string& text) {
  std::istringstream stream(text);
  Records records;
  records.Read(stream, "file");
  return records;
}

std::string Problem(const std::string& text) {
  try {
    ReadText(text);
  } catch (const MalformedRecord& problem) {
    return problem.what();
  }
  return "";
}

}  // namespace

TEST_CASE("operations of every kind are read") {
  const Records records = ReadText(
      R"({"client":1,"key":"a","kind":"write","value":"x","call_ns":1,"return_ns":2,"outcome":"ok"}
{"client":2,"key":"a","kind":"read","call_ns":3,"return_ns":4,"outcome":"ok","result":"x"}
{"client":2,"key":"b","kind":"read","call_ns":3,"return_ns":4,"outcome":"ok","result":null}
{"client":3,"key":"a","kind":"cas","expect":"x","value":1,"call_ns":5,"return_ns":6,)"
      R"("outcome":"ok","result":true}
{"client":3,"key":"a","kind":"cas","expect":null,"value":"1","call_ns":5,"return_ns":6,)"
      R"("outcome":"ok","result":{"current":1}}
{"client":3,"key":"a","kind":"delete","call_ns":7,"return_ns":8,"outcome":"ok","result":true}
{"client":3,"key":"a","kind":"delete","call_ns":7,"return_ns":null,"outcome":"unknown"}
{"client":3,"key":"a","kind":"write","value":"y","call_ns":7,"return_ns":9,"outcome":"fail"}
)");
  const auto& operations = records.operations;
  REQUIRE(operations.size() == 8);
  CHECK(operations[0].key == operations[1].key);
  CHECK(operations[0].key != operations[2].key);
  CHECK(records.keys.Text(operations[2].key) == "b");
  CHECK(operations[1].seen == operations[0].value);
  CHECK(operations[2].seen == kAbsent);
  CHECK(operations[3].did == true);
  CHECK(operations[4].did == false);
  CHECK(operations[4].seen == operations[3].value);
  CHECK(operations[4].value != operations[3].value);  // "1" is not 1
  CHECK(operations[5].did == true);
  CHECK(operations[6].outcome == Outcome::kUnknown);
  CHECK(operations[6].end == kOpenEnd);
  CHECK(operations[7].outcome == Outcome::kFailed);
}

TEST_CASE("appends and logs are read") {
  const Records records = ReadText(
      R"({"partition":2,"data":"x","call_ns":1,"return_ns":2,"outcome":"ok","index":7}
{"partition":2,"data":"y","call_ns":1,"return_ns":null,"outcome":"unknown"}
{"node":3,"partition":2,"log":[[7,1,"x"],[9,2,"y"]]}
{"node":1,"partition":2,"log":[]}
)");
  REQUIRE(records.appends.size() == 2);
  CHECK(records.appends[0].index == 7);
  CHECK(records.appends[1].outcome == Outcome::kUnknown);
  REQUIRE(records.logs.size() == 2);
  CHECK(records.logs[0].node == 3);
  CHECK(records.logs[0].lines[1].term == 2);
  CHECK(records.logs[0].lines[1].data == "y");
  CHECK(records.logs[1].lines.empty());
}

TEST_CASE("what is no record is refused with its place") {
  const std::string good =
      R"({"client":1,"key":"a","kind":"read","call_ns":1,"return_ns":2,"outcome":"ok","result":1})";
  CHECK(Problem(good) == "");
  CHECK(Problem(good + "\n{") == "file:2: no JSON object");
  CHECK(Problem("[]") == "file:1: no JSON object");
  CHECK(Problem(good + "\n\n") == "file:2: no JSON object");
  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    return Problem(text.replace(text.find(from), from.size(), to));
  };
  CHECK(changed("\"client\":1,", "") == "file:1: \"client\" is missing");
  CHECK(changed("\"client\":1", "\"client\":-1") != "");
  CHECK(changed("\"client\":1", "\"client\":1.5") != "");
  CHECK(changed("\"a\"", "1") == "file:1: \"key\" is no string");
  CHECK(changed("read", "scan") == "file:1: \"kind\" is \"scan\"");
  CHECK(changed("\"ok\"", "\"fine\"") == "file:1: \"outcome\" is \"fine\"");
  CHECK(changed("\"return_ns\":2", "\"return_ns\":null") != "");
  CHECK(changed("\"return_ns\":2", "\"return_ns\":0") == "file:1: it ends before its call");
  CHECK(changed(",\"result\":1", "") == "file:1: a read without a result");
  CHECK(changed("\"result\":1", "\"result\":[]") != "");
  CHECK(changed("\"kind\":\"read\"", "\"kind\":\"cas\"") == "file:1: \"expect\" is missing");
  CHECK(changed("\"kind\":\"read\"", "\"kind\":\"delete\"") ==
        "file:1: \"result\" does not fit the kind");
  CHECK(Problem(R"({"node":1,"partition":2,"log":[[1,2]]})") != "");
  CHECK(Problem(R"({"node":1,"partition":2,"log":{}})") != "");
  CHECK(Problem(R"({"partition":2,"data":"x","call_ns":1,"return_ns":2,"outcome":"ok"})") ==
        "file:1: \"index\" is missing");
}
