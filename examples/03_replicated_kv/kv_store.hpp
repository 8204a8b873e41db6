// The state machine: what every node builds from the same log, all of it in memory. It runs on the
// one thread of the service's io_context, so nothing here is guarded.
#pragma once

#include <map>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include <kommander/kommander.hpp>

namespace kv {
namespace json = boost::json;
using namespace kommander;

struct Partition {
  json::object values;
  std::map<std::uint64_t, json::value> lines;  // what was appended, by its index in the log
};

struct KvStore {
  std::vector<Partition> partitions;  // partition 1 first
  // To the commands that somebody waits for, by their "request"; empty until they are applied.
  std::map<std::uint64_t, json::object> answers;

  // The same on every node and for ever: it decides in whose log a key lives.
  PartitionId PartitionOf(std::string_view key) const {
    std::uint64_t hash = 14695981039346656037u;  // FNV-1a
    for (const char c : key) hash = (hash ^ static_cast<std::uint8_t>(c)) * 1099511628211u;
    return static_cast<std::uint32_t>(hash % partitions.size()) + 1;
  }

  // One committed entry, in the order of its partition. Its type says what to do, its JSON with
  // what: {"request":n,"key":k,"value":v}, and "expect" for "cas", which is judged here so that all
  // nodes judge alike. Throws, and changes nothing, when the entry is not one of ours.
  void Apply(const RaftLog& log) {
    auto& [values, lines] = partitions.at(log.partition().value() - 1);
    json::parse_options options;
    options.allow_invalid_utf8 = true;  // a key is any bytes
    json::object command = json::parse(log.payload().text(), {}, options).as_object();
    const auto request = command.at("request").to_number<std::uint64_t>();
    const json::string& key = command.at("key").as_string();
    json::value& value = command.at("value");  // null: remove the key
    const json::value* found = values.if_contains(key);
    const json::value held = found ? *found : nullptr;
    const std::uint64_t index = log.index().value();

    json::object answer{{"index", index}};
    if (log.type() == "append") {
      lines[index] = {{"index", index}, {"term", log.term().value()}, {"data", value}};
    } else if (log.type() == "cas" && command.at("expect") != held) {
      answer = {{"swapped", false}, {"current", held}};
    } else {
      if (log.type() == "cas") answer["swapped"] = true;
      if (log.type() != "cas") answer["partition"] = log.partition().value();
      if (log.type() == "delete") answer["existed"] = found != nullptr;
      if (value.is_null()) values.erase(key);
      if (!value.is_null()) values[key] = std::move(value);
    }
    const auto waiting = answers.find(request);
    if (waiting != answers.end()) waiting->second = std::move(answer);
  }
};

}  // namespace kv
