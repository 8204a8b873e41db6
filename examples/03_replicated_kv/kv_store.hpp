// The state machine: what every node builds from the same log, all of it in memory, and how it goes
// into a snapshot and comes out of one. It runs on the one thread of the service's io_context, so
// nothing here is guarded.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <string_view>
#include <vector>

#include <boost/json.hpp>

#include <kommander/kommander.hpp>

namespace kv {
namespace asio = boost::asio;
namespace json = boost::json;
using namespace kommander;

struct Partition {
  json::object values;
  std::map<std::uint64_t, json::value> lines;  // what was appended, by its index in the log
};

// A copy, so that the partition may change while it is written: as JSON, a piece at a time.
struct KvImage final : SnapshotImage {
  json::value state;

  asio::awaitable<void> Write(SnapshotSink& sink) override {
    std::array<char, 65536> piece;
    json::serializer serializer;
    for (serializer.reset(&state); !serializer.done();) {
      const std::string_view text = serializer.read(piece.data(), piece.size());
      co_await sink.Write(Payload(text));
    }
  }
};

struct KvStore final : StateMachine {
  std::vector<Partition> partitions;  // by their number; nothing of ours is in partition 0
  // To the commands that somebody waits for, by their "request"; empty until they are applied.
  std::map<std::uint64_t, json::object> answers;

  std::function<void(const RaftLog&)> on_unknown;

  // The same for what the log held before the start and for what comes later: the state depends on
  // the order of the log alone.
  bool Apply(std::span<const RaftLog> logs) override {
    for (const RaftLog& log : logs) {
      try {
        ApplyOne(log);
      } catch (const std::exception&) {
        on_unknown(log);
      }
    }
    return true;
  }

  std::shared_ptr<SnapshotImage> Capture(PartitionId partition) override {
    const auto& [values, lines] = partitions.at(partition.value());
    json::array all;
    for (const auto& [index, line] : lines) all.push_back(line);
    auto image = std::make_shared<KvImage>();
    image->state = {{"values", values}, {"lines", std::move(all)}};
    return image;
  }

  asio::awaitable<bool> Import(PartitionId partition, SnapshotSource& source) override {
    json::stream_parser parser({}, AnyBytes());
    for (Payload piece; !(piece = co_await source.Read()).empty();) parser.write(piece.text());
    parser.finish();
    json::object state = parser.release().as_object();
    Partition imported;
    imported.values = std::move(state.at("values").as_object());
    for (json::value& line : state.at("lines").as_array()) {
      const auto index = line.at("index").to_number<std::uint64_t>();
      imported.lines[index] = std::move(line);
    }
    partitions.at(partition.value()) = std::move(imported);
    co_return true;
  }

  static json::parse_options AnyBytes() {
    json::parse_options options;
    options.allow_invalid_utf8 = true;  // a key is any bytes
    return options;
  }

  // One committed entry, in the order of its partition. Its type says what to do, its JSON with
  // what: {"request":n,"key":k,"value":v}, and "expect" for "cas", which is judged here so that all
  // nodes judge alike. Throws, and changes nothing, when the entry is not one of ours.
  void ApplyOne(const RaftLog& log) {
    auto& [values, lines] = partitions.at(log.partition().value());
    json::object command = json::parse(log.payload().text(), {}, AnyBytes()).as_object();
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
