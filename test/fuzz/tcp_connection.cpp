// A stranger's connection to a real listener, from its first byte: whatever it sends, nothing but a
// peer that was judged is heard, answers are well-formed, and before the judgement little memory is
// taken. One thread: the listener's executor runs when the target says so.
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>

#include <kommander/tcp_transport.hpp>

#include "choices.hpp"
#include "codec/crc32c.hpp"
#include "codec/frame_reader.hpp"
#include "codec/handshake.hpp"
#include "codec/messages.hpp"
#include "target.hpp"
#include "unit/transports/allocation_watch.hpp"
#include "unit/transports/manual_clock.hpp"
#include "values.hpp"

namespace kommander::fuzz {
namespace {

using codec::FrameKind;

constexpr NodeId kListener{9};
constexpr NodeId kDialler{7};
constexpr std::size_t kPiecesMax = 64;  // each costs some system calls
constexpr std::size_t kChunkBytes = codec::kFrameHeaderBytes + codec::kHandshakeBytesMax;

Hello HelloOf(NodeId node) {
  Hello hello;
  hello.cluster_id = "harbour";
  hello.node = node;
  hello.incarnation = Incarnation(node.value());
  hello.nonce = node.value();
  return hello;
}

// Accepts odd incarnations, as good as any other rule.
class Host final : public TransportHost {
 public:
  void Forget() noexcept { accepted_ = NodeId(); }
  [[nodiscard]] bool has_accepted() const noexcept { return static_cast<bool>(accepted_); }

  Hello LocalHello(NodeId) const override { return HelloOf(kListener); }
  void Judge(Hello hello, NodeId dialled, std::function<void(error_code)> verdict) override {
    FUZZ_REQUIRE(!has_accepted() && !dialled && hello.cluster_id == "harbour");
    if (hello.incarnation.value() % 2 == 0) return verdict(RaftErrc::IdentityReplaced);
    accepted_ = hello.node;
    verdict({});
  }
  void OnMessages(NodeId from, std::vector<Message> messages) override {
    FUZZ_REQUIRE(has_accepted() && from == accepted_ && !messages.empty());
    for (const Message& message : messages) {
      FUZZ_REQUIRE(message.from == from && message.to == kListener);
    }
  }
  void OnPeerDown(NodeId, error_code) override {}
  void OnRefused(NodeId, error_code) override {}

 private:
  NodeId accepted_;
};

// Lives as long as the program.
struct Listener {
  Listener() : transport(clock, TcpTransportOptions()) {
    std::string detail;
    FUZZ_REQUIRE(!transport.Start(context.get_executor(), Endpoint("127.0.0.1", 0), host, detail));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(transport.BoundEndpoint().port);
  }
  ~Listener() {
    transport.Stop({});
    RunUntilIdle();
  }
  // The loopback delivers before send() returns, so idle means that everything was looked at.
  void RunUntilIdle() {
    do {
      context.restart();
    } while (context.poll() != 0);
  }

  boost::asio::io_context context;
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::shared_ptr<Host> host = std::make_shared<Host>();
  TcpTransport transport;
  sockaddr_in address{};
};

class Connection {
 public:
  explicit Connection(Listener& listener)
      : listener_(listener), socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    FUZZ_REQUIRE(socket_ >= 0);
    const auto* address = reinterpret_cast<const sockaddr*>(&listener.address);
    // The fuzzer's own timer may interrupt.
    if (::connect(socket_, address, sizeof listener.address) != 0) {
      FUZZ_REQUIRE(errno == EINTR);
      pollfd connected{socket_, POLLOUT, 0};
      while (::poll(&connected, 1, -1) != 1) FUZZ_REQUIRE(errno == EINTR);
    }
    // No port waits after the end: there are more connections than ports.
    const linger now{1, 0};
    FUZZ_REQUIRE(::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now) == 0);
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // False: the other side has had enough.
  bool Send(ByteSpan bytes) {
    while (!bytes.empty()) {
      const auto count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return false;
      if (count > 0) bytes = bytes.subspan(static_cast<std::size_t>(count));
      listener_.RunUntilIdle();
      CheckAnswers();
    }
    return true;
  }

 private:
  // Hello-ack or reject first, then nothing but pongs; all of it sound.
  void CheckAnswers() {
    for (;;) {
      const std::span<std::byte> room = answers_.Prepare();
      const auto count = ::recv(socket_, room.data(), room.size(), MSG_DONTWAIT);
      if (count <= 0) return;
      answers_.Commit(static_cast<std::size_t>(count));
      codec::Frame frame;
      auto result = answers_.Next(frame);
      for (; result == codec::FrameReader::Result::kFrame; result = answers_.Next(frame)) {
        const FrameKind kind = frame.header.kind;
        if (frame.header.sequence == 0) {
          FUZZ_REQUIRE(kind == FrameKind::kHelloAck || kind == FrameKind::kReject);
          FUZZ_REQUIRE((kind == FrameKind::kHelloAck) == listener_.host->has_accepted());
        } else {
          FUZZ_REQUIRE(kind == FrameKind::kPong);
        }
      }
      FUZZ_REQUIRE(result == codec::FrameReader::Result::kNeedMore);
    }
  }

  Listener& listener_;
  const int socket_;
  codec::FrameReader answers_{kChunkBytes};
};

// --- What the stranger says ---

std::string HelloPayload(Choices& choices) {
  codec::Greeting greeting{HelloOf(kDialler), kListener};
  const std::uint8_t how = choices.Byte();
  if ((how & 1) != 0) greeting.hello.incarnation = Incarnation(choices.Number());
  if ((how & 2) != 0) greeting.hello.node = NodeId(choices.Number32());
  if ((how & 4) != 0) greeting.to = NodeId(choices.Number32());
  if ((how & 8) != 0) greeting.hello.cluster_id = choices.Text(20);
  if ((how & 16) != 0) greeting.hello.version_min = static_cast<std::uint16_t>(choices.Number());
  if ((how & 32) != 0) greeting.hello.nonce = choices.Number();
  return std::string(codec::EncodeGreeting(greeting).text());
}

// A batch of the dialler's, or of somebody whom it claims to be.
std::string MessagesPayload(FrameKind& kind, Choices& choices) {
  codec::FrameEncoder encoder;
  const NodeId from = choices.Byte() < 0xf0 ? kDialler : NodeId(choices.Number32());
  std::vector<Message> messages;
  for (std::size_t left = 1 + choices.Below(3); left != 0; --left) {
    const Term term(choices.Number());
    messages.emplace_back(PartitionId(1), from, kListener, term, ChooseBody(choices));
    kind = std::max(kind, codec::KindOf(messages.back().body));
  }
  for (const Message& message : messages) FUZZ_REQUIRE(encoder.Add(message));
  encoder.Finish();
  std::string frame;
  for (const ByteSpan part : encoder.parts()) frame += AsText(part);
  return frame.substr(codec::kFrameHeaderBytes);
}

std::string NextFrame(Choices& choices, std::uint64_t sequence) {
  const std::uint8_t how = choices.Byte();
  codec::FrameHeader header;
  header.sequence = sequence;
  std::string payload;
  if (how < 0x20) {
    header.kind = FrameKind::kHello;
    payload = HelloPayload(choices);
  } else if (how < 0x90) {
    header.kind = FrameKind::kVotes;
    payload = MessagesPayload(header.kind, choices);
  } else {
    header.kind = static_cast<FrameKind>(how % 11);
    payload = choices.Text(100);
  }
  header.flags = codec::IsKnown(header.kind) ? 0 : codec::kFrameFlagOptional;
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.payload_crc = codec::Crc32c(AsBytes(payload));
  const std::uint8_t fault = choices.Byte();
  if (fault == 0xff) header.payload_bytes = choices.Number32();
  if (fault == 0xfe) header.sequence = choices.Number();
  if (fault == 0xfd) header.payload_crc ^= 1;
  std::array<std::byte, codec::kFrameHeaderBytes> bytes;
  codec::EncodeFrameHeader(header, bytes);
  return std::string(AsText(bytes)) + payload;
}

// Who speaks on before the answer to its hello is cut off, so what comes first is sent alone.
struct Speech {
  std::string bytes;
  std::size_t first = 0;
};

Speech ChooseSpeech(Choices& choices) {
  Speech speech;
  if (choices.Coin()) {
    speech.bytes = AsText(choices.rest());
    return speech;
  }
  const bool waits = choices.Byte() != 0xff;
  for (std::uint64_t sequence = 0; !choices.AtEnd() && speech.bytes.size() < (64u << 10);
       ++sequence) {
    speech.bytes += NextFrame(choices, sequence);
    if (sequence == 0 && waits) speech.first = speech.bytes.size();
  }
  return speech;
}

void Run(ByteSpan input) {
  static Listener listener;
  Choices choices(input);
  const std::size_t wanted_step = 1 + choices.Number() % 5000;
  const Speech speech = ChooseSpeech(choices);
  ByteSpan rest = AsBytes(speech.bytes);
  const std::size_t step = std::max(wanted_step, rest.size() / kPiecesMax);
  listener.host->Forget();
  {
    Connection connection(listener);
    testing::ForgetAllocations();
    for (std::size_t count = speech.first != 0 ? speech.first : step; !rest.empty(); count = step) {
      count = std::min(count, rest.size());
      if (!connection.Send(rest.first(count))) break;
      rest = rest.subspan(count);
      if (listener.host->has_accepted()) continue;
      FUZZ_REQUIRE(testing::LargestAllocation() <= 2 * kChunkBytes);
    }
  }
  listener.RunUntilIdle();
}

std::vector<std::string> Seeds() {
  using namespace std::string_literals;
  const std::string hello = "\0\0\0"s;  // kind, the dialler's own words, no fault
  std::vector<std::string> seeds;
  seeds.push_back("\xf0\xff\0\0"s + hello + "\x30\1\0\3\4\1\2\0"s + "\xa0\0\0"s);
  seeds.push_back("\x10\0\0"s + hello + "\x30\1\2\3\2\1\1\1\1\1\5\1\1\1\5hello\2\0"s);
  seeds.push_back("\xf0\xff\0\0"s + hello + "\x30\xf5\3\0\3\4\1\2\0"s);
  seeds.push_back("\x40\0\0"s + "\0\1\2\0"s + hello);
  seeds.push_back("\x40\0\0"s + hello + "\x93\4wxyz\xfe\7"s);
  codec::FrameEncoder encoder;
  encoder.AddControl(FrameKind::kHello,
                     codec::EncodeGreeting({HelloOf(kDialler), kListener}).bytes());
  encoder.AddControl(FrameKind::kPing, {});
  encoder.Finish();
  std::string& raw = seeds.emplace_back("\xef\1"s);
  for (const ByteSpan part : encoder.parts()) raw += AsText(part);
  return seeds;
}

}  // namespace

constexpr Target kTcpConnectionTarget{"tcp_connection", &Run, &Seeds};

}  // namespace kommander::fuzz
