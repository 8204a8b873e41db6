// From JSON to operations; whatever is not as promised ends it with the place.
#include "records.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace kommander::checkers {

namespace json = boost::json;

namespace {

[[noreturn]] void Refuse(const std::string& what) { throw MalformedRecord(what); }

const json::value& Member(const json::object& object, std::string_view name) {
  const json::value* member = object.if_contains(name);
  if (member == nullptr) Refuse("\"" + std::string(name) + "\" is missing");
  return *member;
}

template <class Number>
Number NumberOf(const json::value& value, std::string_view name) {
  boost::system::error_code error;
  const auto number = value.is_number() ? value.to_number<Number>(error) : Number();
  if (error || !value.is_number()) Refuse("\"" + std::string(name) + "\" is no number, or too big");
  return number;
}

template <class Number>
Number NumberOf(const json::object& object, std::string_view name) {
  return NumberOf<Number>(Member(object, name), name);
}

std::string TextOf(const json::value& value, std::string_view name) {
  const json::string* text = value.if_string();
  if (text == nullptr) Refuse("\"" + std::string(name) + "\" is no string");
  return std::string(text->data(), text->size());
}

Outcome OutcomeOf(const json::object& object) {
  const std::string text = TextOf(Member(object, "outcome"), "outcome");
  if (text == "ok") return Outcome::kOk;
  if (text == "fail") return Outcome::kFailed;
  if (text == "unknown") return Outcome::kUnknown;
  Refuse("\"outcome\" is \"" + text + "\"");
}

std::int64_t EndOf(const json::object& object, Outcome outcome) {
  const json::value& end = Member(object, "return_ns");
  if (outcome != Outcome::kOk) return kOpenEnd;
  return NumberOf<std::int64_t>(end, "return_ns");
}

RegisterKind KindOf(const json::object& object) {
  const std::string text = TextOf(Member(object, "kind"), "kind");
  if (text == "read") return RegisterKind::kRead;
  if (text == "write") return RegisterKind::kWrite;
  if (text == "delete") return RegisterKind::kDelete;
  if (text == "cas") return RegisterKind::kCompareAndSwap;
  Refuse("\"kind\" is \"" + text + "\"");
}

Value ValueOf(const json::value& value, Names& values) {
  if (value.is_null()) return kAbsent;
  if (!value.is_string() && !value.is_number()) Refuse("a value is a string, a number or null");
  return values.Number(json::serialize(value));
}

void ReadResult(const json::value& result, Names& values, RegisterOperation& operation) {
  if (operation.kind == RegisterKind::kRead) {
    operation.seen = ValueOf(result, values);
    return;
  }
  if (operation.kind == RegisterKind::kWrite) return;
  if (const bool* did = result.if_bool()) {
    operation.did = *did;
    return;
  }
  const json::object* object = result.if_object();
  if (operation.kind != RegisterKind::kCompareAndSwap || object == nullptr) {
    Refuse("\"result\" does not fit the kind");
  }
  operation.did = false;
  operation.seen = ValueOf(Member(*object, "current"), values);
}

RegisterOperation OperationOf(const json::object& object, Names& keys, Names& values) {
  RegisterOperation operation;
  operation.client = NumberOf<std::uint32_t>(object, "client");
  operation.key = keys.Number(TextOf(Member(object, "key"), "key"));
  operation.kind = KindOf(object);
  operation.outcome = OutcomeOf(object);
  operation.call = NumberOf<std::int64_t>(object, "call_ns");
  operation.end = EndOf(object, operation.outcome);
  const bool swaps = operation.kind == RegisterKind::kCompareAndSwap;
  if (swaps) operation.expect = ValueOf(Member(object, "expect"), values);
  if (swaps || operation.kind == RegisterKind::kWrite) {
    operation.value = ValueOf(Member(object, "value"), values);
  }
  const json::value* result = object.if_contains("result");
  if (result != nullptr && operation.outcome == Outcome::kOk) {
    ReadResult(*result, values, operation);
  }
  if (const auto flaw = FindFlaw(operation)) Refuse(*flaw);
  return operation;
}

Append AppendOf(const json::object& object) {
  Append append;
  append.partition = NumberOf<std::uint32_t>(object, "partition");
  append.data = TextOf(Member(object, "data"), "data");
  append.outcome = OutcomeOf(object);
  append.call = NumberOf<std::int64_t>(object, "call_ns");
  append.end = EndOf(object, append.outcome);
  if (append.outcome == Outcome::kOk) append.index = NumberOf<std::uint64_t>(object, "index");
  return append;
}

AppliedLog LogOf(const json::object& object) {
  AppliedLog log;
  log.node = NumberOf<std::uint32_t>(object, "node");
  log.partition = NumberOf<std::uint32_t>(object, "partition");
  const json::array* lines = Member(object, "log").if_array();
  if (lines == nullptr) Refuse("\"log\" is no array");
  for (const json::value& item : *lines) {
    const json::array* line = item.if_array();
    if (line == nullptr || line->size() != 3) Refuse("a line of a log is [index, term, data]");
    log.lines.push_back({NumberOf<std::uint64_t>((*line)[0], "index"),
                         NumberOf<std::uint64_t>((*line)[1], "term"), TextOf((*line)[2], "data")});
  }
  return log;
}

}  // namespace

std::uint64_t Names::Number(std::string_view text) {
  const auto [place, is_new] = numbers_.emplace(text, texts_.size() + 1);
  if (is_new) texts_.emplace_back(text);
  return place->second;
}

void Records::Read(std::istream& stream, const std::string& name) {
  std::string line;
  for (std::uint64_t number = 1; std::getline(stream, line); ++number) {
    try {
      boost::system::error_code error;
      const json::value parsed = json::parse(line, error);
      const json::object* object = error ? nullptr : parsed.if_object();
      if (object == nullptr) Refuse("no JSON object");
      if (object->contains("log")) {
        logs.push_back(LogOf(*object));
      } else if (object->contains("partition")) {
        appends.push_back(AppendOf(*object));
      } else {
        operations.push_back(OperationOf(*object, keys, values));
      }
    } catch (const MalformedRecord& problem) {
      throw MalformedRecord(name + ":" + std::to_string(number) + ": " + problem.what());
    }
  }
  if (stream.bad()) throw MalformedRecord(name + ": cannot be read");
}

}  // namespace kommander::checkers
