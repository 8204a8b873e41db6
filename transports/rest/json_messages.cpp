#include "rest/json_messages.hpp"

#include <algorithm>
#include <array>
#include <variant>

#include "rest/json_fields.hpp"
#include "rest/json_text.hpp"

namespace kommander::rest {
namespace {

using codec::FrameError;

// What one large batch needed is not kept for ever.
constexpr std::size_t kTextKept = 4u << 20;

// --- What each message has. `m` is const for the writer. ---

template <class Fields, class Body>
void DescribeEntry(Fields& fields, Body& entry) {
  fields("term", entry.term);
  fields("index", entry.index);
  fields.Stamp("ticket", entry.ticket, true);
  fields.Number("kind", entry.kind, kEntryKindLast);
  fields("body", entry.body);
}

struct Describe {
  template <class Fields>
  static void Body(Fields& fields, auto& m, const VoteRequest&) {
    fields("lastIndex", m.last_index);
    fields("lastTerm", m.last_term);
    fields("preVote", m.pre_vote);
    fields("transfer", m.transfer);
    fields("admits", m.admits);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const VoteReply&) {
    fields("preVote", m.pre_vote);
    fields("granted", m.granted);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const AppendRequest&) {
    fields("previousIndex", m.previous_index);
    fields("previousTerm", m.previous_term);
    fields("commit", m.commit);
    fields.List("entries", m.entries,
                [](auto& inside, auto& entry) { DescribeEntry(inside, entry); });
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const AppendReply&) {
    fields("accepted", m.accepted);
    fields("matched", m.matched);
    fields("rejected", m.rejected);
    fields("hintIndex", m.hint_index);
    fields("hintTerm", m.hint_term);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const Heartbeat&) {
    fields("commit", m.commit);
    fields("round", m.round);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const HeartbeatReply&) {
    fields("round", m.round);
    fields("durable", m.durable);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const ReadIndexRequest&) {
    fields("request", m.request);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const ReadIndexReply&) {
    fields("request", m.request);
    fields("confirmed", m.confirmed);
    fields("index", m.index);
  }
  template <class Fields>
  static void Body(Fields&, auto&, const TransferRequest&) {}
  template <class Fields>
  static void Body(Fields& fields, auto& m, const SnapshotOffer&) {
    fields("index", m.info.index);
    fields("snapshotTerm", m.info.term);
    fields("bytes", m.info.bytes);
    fields("sha256", m.info.sha256);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const SnapshotChunk&) {
    fields("index", m.index);
    fields("offset", m.offset);
    fields("data", m.bytes);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const SnapshotReply&) {
    fields("index", m.index);
    fields("received", m.received);
    fields.Number("state", m.state, SnapshotReply::State::kRefused);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const ForwardRequest&) {
    fields("number", m.number);
    fields("patienceMs", m.patience_ms);
    fields("expectedGeneration", m.expected_generation);
    fields.Number("kind", m.kind, kEntryKindLast);
    fields("awaitApply", m.await_apply);
    fields("data", m.body);
  }
  template <class Fields>
  static void Body(Fields& fields, auto& m, const ForwardReply&) {
    fields("number", m.number);
    fields("error", m.error);
    fields("leader", m.leader);
    fields.Stamp("ticket", m.ticket, true);
    fields("index", m.index);
    fields("entryTerm", m.term);
    fields("count", m.count);
  }
};

// By their place in MessageBody. On the wire: never reuse one.
constexpr std::array<std::string_view, std::variant_size_v<MessageBody>> kTypes = {
    "voteRequest",    "voteReply",        "appendRequest",  "appendReply",     "heartbeat",
    "heartbeatReply", "readIndexRequest", "readIndexReply", "transferRequest", "snapshotOffer",
    "snapshotChunk",  "snapshotReply",    "forwardRequest", "forwardReply"};

template <std::size_t... Places>
bool EmplaceAt(MessageBody& body, std::size_t place, std::index_sequence<Places...>) {
  return ((place == Places ? (body.emplace<Places>(), true) : false) || ...);
}

bool Emplace(MessageBody& body, std::string_view type) {
  const auto found = std::find(kTypes.begin(), kTypes.end(), type);
  const auto place = static_cast<std::size_t>(found - kTypes.begin());
  return EmplaceAt(body, place, std::make_index_sequence<kTypes.size()>());
}

void WriteMessage(std::string& text, const Message& message) {
  FieldWriter fields(text);
  fields.Word("type", kTypes[message.body.index()]);
  fields("partition", message.partition);
  fields("term", message.term);
  fields.Stamp("stamp", message.stamp, false);
  std::visit([&](const auto& body) { Describe::Body(fields, body, body); }, message.body);
  fields.End();
}

void ReadMessage(FieldReader& fields, Message& message) {
  std::string_view type;
  fields.Word("type", type);
  if (!fields.is_good() || !Emplace(message.body, type)) return fields.Fail();
  fields("partition", message.partition);
  fields("term", message.term);
  message.stamp = HlcTimestamp(0, 0, message.from);
  fields.Stamp("stamp", message.stamp, false);
  if (message.stamp.word() == 0) message.stamp = {};  // no stamp, whoever sent it
  std::visit([&](auto& body) { Describe::Body(fields, body, body); }, message.body);
}

// The id of a cluster may be any bytes.
void DescribeClusterId(FieldWriter& fields, const std::string& cluster_id) {
  fields("clusterId", Payload(cluster_id));
}
void DescribeClusterId(FieldReader& fields, std::string& cluster_id) {
  Payload bytes;
  fields("clusterId", bytes);
  if (bytes.size() > codec::kClusterIdBytesMax) return fields.Fail();
  cluster_id = bytes.text();
}

template <class Fields, class Greeting>
void DescribeGreeting(Fields& fields, Greeting& greeting) {
  auto& hello = greeting.hello;
  DescribeClusterId(fields, hello.cluster_id);
  fields("node", hello.node);
  fields("to", greeting.to);
  fields("incarnation", hello.incarnation);
  fields("versionMin", hello.version_min);
  fields("versionMax", hello.version_max);
  fields("bootstrapDigest", hello.bootstrap_digest);
  fields("knowsRoster", hello.knows_roster);
  fields("knownIncarnation", hello.known_incarnation);
  fields("nonce", hello.nonce);
}

constexpr std::string_view kNoReason = "None";

// A peer cannot make this node believe that its own storage failed: only what it may say.
RaftErrc ReasonOf(std::string_view name) noexcept {
  for (const RaftErrc errc :
       {RaftErrc::ClusterIdMismatch, RaftErrc::DuplicateNodeId, RaftErrc::IdentityReplaced,
        RaftErrc::BootstrapMismatch, RaftErrc::VersionMismatch, RaftErrc::NodeIsNotReady,
        RaftErrc::NodeStopped}) {
    if (name == ToString(errc)) return errc;
  }
  return RaftErrc::UnexpectedPeer;
}
std::string_view NameOf(error_code reason) noexcept {
  const bool is_ours = reason.category() == RaftCategory();
  return ToString(is_ours ? static_cast<RaftErrc>(reason.value()) : RaftErrc::UnexpectedPeer);
}

}  // namespace

// --- Batches ---

void BatchWriter::Begin(const codec::Route& route, std::uint64_t sequence) {
  if (text_.capacity() > kTextKept) text_ = {};
  text_.clear();
  count_ = 0;
  text_ += "{\"from\":" + std::to_string(route.from.value());
  text_ += ",\"to\":" + std::to_string(route.to.value());
  text_ += ",\"sequence\":" + std::to_string(sequence) + ",\"messages\":[";
}

bool BatchWriter::Add(const Message& message) {
  const std::size_t before = text_.size();
  if (count_ != 0) text_ += ',';
  WriteMessage(text_, message);
  constexpr std::size_t kEndBytes = 2;
  if (text_.size() + kEndBytes > kBatchTextMax) {
    text_.resize(before);
    return false;
  }
  ++count_;
  return true;
}

const std::string& BatchWriter::Finish() { return text_ += "]}"; }

FrameError DecodeBatch(std::string_view text, const codec::Route& route, Batch& batch) {
  const auto document = ParseStrictly(text);
  if (!document) return FrameError::kCorrupt;
  FieldReader fields(document->value);
  codec::Route said;
  fields("from", said.from);
  fields("to", said.to);
  fields("sequence", batch.sequence);
  fields.List("messages", batch.messages, [&said](FieldReader& inside, Message& message) {
    message.from = said.from;
    message.to = said.to;
    ReadMessage(inside, message);
  });
  if (!fields.End()) return FrameError::kCorrupt;
  return said.from == route.from && said.to == route.to ? FrameError::kNone : FrameError::kForeign;
}

// --- Greetings ---

std::string EncodeHello(const codec::Greeting& greeting) {
  std::string text;
  FieldWriter fields(text);
  DescribeGreeting(fields, greeting);
  fields.End();
  return text;
}

bool DecodeHello(std::string_view text, codec::Greeting& greeting) {
  const auto document = ParseStrictly(text);
  if (!document) return false;
  FieldReader fields(document->value);
  DescribeGreeting(fields, greeting);
  return fields.End();
}

std::string EncodeWelcome(std::string_view session, const codec::Greeting& greeting) {
  std::string text;
  FieldWriter fields(text);
  fields.Word("session", session);
  fields.Object("hello", [&](FieldWriter& inside) { DescribeGreeting(inside, greeting); });
  fields.End();
  return text;
}

bool DecodeWelcome(std::string_view text, std::string& session, codec::Greeting& greeting) {
  const auto document = ParseStrictly(text);
  if (!document) return false;
  FieldReader fields(document->value);
  std::string_view word;
  fields.Word("session", word);
  fields.Object("hello", [&](FieldReader& inside) { DescribeGreeting(inside, greeting); });
  session = word;
  // It goes into a header of each request.
  const bool is_plain = word.find_first_not_of("0123456789abcdef") == word.npos;
  return fields.End() && is_plain && word.size() == kSessionLetters;
}

bool DecodeRefusal(std::string_view text, error_code& reason) {
  const auto document = ParseStrictly(text);
  if (!document) return false;
  FieldReader fields(document->value);
  std::string_view name;
  std::string_view message;
  fields.Object("error", [&](FieldReader& inside) {
    inside.Word("name", name);
    inside.Word("message", message);
  });
  if (!fields.End()) return false;
  reason = ReasonOf(name);
  return true;
}

std::string EncodeFarewell(error_code reason) {
  std::string text;
  FieldWriter fields(text);
  fields.Word("reason", reason ? NameOf(reason) : kNoReason);
  fields.End();
  return text;
}

bool DecodeFarewell(std::string_view text, error_code& reason) {
  const auto document = ParseStrictly(text);
  if (!document) return false;
  FieldReader fields(document->value);
  std::string_view name;
  fields.Word("reason", name);
  if (!fields.End()) return false;
  reason = name == kNoReason ? error_code() : ReasonOf(name);
  return true;
}

}  // namespace kommander::rest
