// Measures the wire codec: messages and bytes per second, and allocations per message, of encoding
// into a gather list and of cutting and decoding the same bytes.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "codec/frame_reader.hpp"
#include "codec/messages.hpp"
#include "process_counts.hpp"

namespace kommander::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Settings {
  double seconds = 1;
  std::size_t batch = 256;
  std::size_t chunk_bytes = 128u << 10;
};

const NodeId kFrom(1);
const NodeId kTo(2);

Message Make(std::uint32_t partition, MessageBody body) {
  return Message(PartitionId(partition), kFrom, kTo, Term(7), std::move(body));
}

Message MakeAppend(std::uint32_t partition, std::size_t entries, std::size_t body_bytes) {
  AppendRequest append;
  append.previous_index = LogIndex(1000);
  append.previous_term = Term(7);
  for (std::size_t i = 0; i < entries; ++i) {
    append.entries.emplace_back(Term(7), LogIndex(1001 + i), EntryKind::kApplication,
                                Ticket(1'700'000'000'000, 1, kFrom),
                                Payload(std::string(body_bytes, 'b')));
  }
  return Make(partition, append);
}

struct Load {
  const char* name;
  std::vector<Message> messages;
};

struct Totals {
  double messages = 0;
  double bytes = 0;
  double seconds = 0;
  double allocations = 0;
};

void Print(const char* name, const char* what, const Totals& totals) {
  std::printf("%-22s %-7s %14.0f %12.1f %12.1f %14.3f\n", name, what,
              totals.messages / totals.seconds, totals.bytes / totals.seconds / 1e6,
              totals.seconds / totals.messages * 1e9, totals.allocations / totals.messages);
}

// Repeats `round`, which returns the bytes that it handled, for the time of one line.
template <class Round>
Totals Measure(const Settings& settings, std::size_t messages, Round round) {
  for (int i = 0; i < 10; ++i) (void)round();
  Totals totals;
  const std::uint64_t allocations = AllocationCount();
  const auto begin = SteadyClock::now();
  do {
    for (int i = 0; i < 16; ++i) {
      totals.bytes += static_cast<double>(round());
      totals.messages += static_cast<double>(messages);
    }
    totals.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
  } while (totals.seconds < settings.seconds);
  totals.allocations = static_cast<double>(AllocationCount() - allocations);
  return totals;
}

std::size_t EncodeBatch(codec::FrameEncoder& encoder, const std::vector<Message>& messages) {
  encoder.Clear();
  for (const auto& message : messages) (void)encoder.Add(message);
  encoder.Finish();
  return encoder.bytes();
}

// Feeds the bytes through a reader as a socket would; false when they were refused.
bool DecodeBatch(std::size_t chunk_bytes, std::string_view bytes, std::vector<Message>& messages) {
  codec::FrameReader reader(chunk_bytes, codec::kAppendsBytesMax);
  while (true) {
    codec::Frame frame;
    const auto result = reader.Next(frame);
    if (result == codec::FrameReader::Result::kRefused) return false;
    if (result == codec::FrameReader::Result::kFrame) {
      const auto error = codec::DecodeMessages(frame.header.kind, frame.payload, {kFrom, kTo},
                                               *frame.buffer, messages);
      if (error != codec::FrameError::kNone) return false;
      continue;
    }
    if (bytes.empty()) return !reader.InsideFrame();
    const auto room = reader.Prepare();
    const std::size_t count = std::min(room.size(), bytes.size());
    std::memcpy(room.data(), bytes.data(), count);
    reader.Commit(count);
    bytes.remove_prefix(count);
  }
}

bool Run(const Settings& settings, const Load& load) {
  codec::FrameEncoder encoder;
  Print(load.name, "encode", Measure(settings, load.messages.size(), [&] {
          return EncodeBatch(encoder, load.messages);
        }));
  codec::FrameEncoder once;
  (void)EncodeBatch(once, load.messages);
  std::string bytes;
  for (const auto part : once.parts()) bytes += AsText(part);
  std::vector<Message> messages;
  bool good = true;
  Print(load.name, "decode", Measure(settings, load.messages.size(), [&] {
          messages.clear();
          good = good && DecodeBatch(settings.chunk_bytes, bytes, messages);
          return bytes.size();
        }));
  return good && messages == load.messages;
}

int Main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures the wire codec.");
  app.add_option("--seconds", settings.seconds, "per line")->capture_default_str();
  app.add_option("--batch", settings.batch, "messages per batch")
      ->check(CLI::Range(1U, 100'000U))
      ->capture_default_str();
  app.add_option("--chunk-bytes", settings.chunk_bytes, "receive buffer")->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::vector<Load> loads{{"heartbeat", {}},
                          {"acknowledgement", {}},
                          {"append 1 x 128 B", {}},
                          {"append 64 x 128 B", {}},
                          {"append 1 x 64 KiB", {}}};
  for (std::uint32_t i = 0; i < settings.batch; ++i) {
    Heartbeat beat;
    beat.round = i;
    loads[0].messages.push_back(Make(i, beat));
    AppendReply reply;
    reply.accepted = true;
    reply.matched = LogIndex(i);
    loads[1].messages.push_back(Make(i, reply));
    loads[2].messages.push_back(MakeAppend(i, 1, 128));
    loads[3].messages.push_back(MakeAppend(i, 64, 128));
    loads[4].messages.push_back(MakeAppend(i, 1, 64u << 10));
  }
  std::printf("%-22s %-7s %14s %12s %12s %14s\n", "message", "", "messages/s", "MB/s", "ns/message",
              "allocs/message");
  for (const auto& load : loads) {
    if (Run(settings, load)) continue;
    std::printf("%s: what was decoded is not what was encoded\n", load.name);
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) { return kommander::bench::Main(argc, argv); }
