// The messages of nodes, and what they say before any message, as JSON: the same as codec/messages
// and codec/handshake, in words. Many messages of one sender and one receiver share a batch.
// Decoding is total, and accepts one set of fields for each message only: what is missing, unknown,
// named twice, too large or of another type is refused with all of its batch. Fields: docs/rest.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/messages.hpp>
#include <kommander/transport.hpp>

#include "codec/handshake.hpp"
#include "codec/messages.hpp"

namespace kommander::rest {

// Of a batch as text. As large as the largest frame of the binary protocol in base64, and some
// more: a constant of the protocol.
inline constexpr std::size_t kBatchTextMax = 22u << 20;
// Of a greeting or a refusal as text.
inline constexpr std::size_t kGreetingTextMax = 4096;

// Gathers messages into one text. Keeps its memory from batch to batch.
class BatchWriter {
 public:
  // Forgets the batch and begins another one, of this route and number.
  void Begin(const codec::Route& route, std::uint64_t sequence);
  // False: it would exceed kBatchTextMax, and nothing was added.
  [[nodiscard]] bool Add(const Message& message);
  [[nodiscard]] std::size_t bytes() const noexcept { return text_.size(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  // The whole text; until the next Begin.
  [[nodiscard]] const std::string& Finish();

 private:
  std::string text_;
  std::size_t count_ = 0;
};

// Without messages: the peer says that it lives.
struct Batch {
  std::uint64_t sequence = 0;
  std::vector<Message> messages;
};
// kNone, kCorrupt, or kForeign, of another route. `batch` is unspecified unless kNone.
[[nodiscard]] codec::FrameError DecodeBatch(std::string_view text, const codec::Route& route,
                                            Batch& batch);

[[nodiscard]] std::string EncodeHello(const codec::Greeting& greeting);
[[nodiscard]] bool DecodeHello(std::string_view text, codec::Greeting& greeting);

// What a hello is answered with: the word that messages come with, and the answering node's hello.
inline constexpr std::size_t kSessionLetters = 32;  // 0-9 and a-f
[[nodiscard]] std::string EncodeWelcome(std::string_view session, const codec::Greeting& greeting);
[[nodiscard]] bool DecodeWelcome(std::string_view text, std::string& session,
                                 codec::Greeting& greeting);
// Or why it is refused. Names that no peer may say are UnexpectedPeer.
[[nodiscard]] bool DecodeRefusal(std::string_view text, error_code& reason);

// Why a node ends the session that it has: what it has against the other one; no error: nothing.
[[nodiscard]] std::string EncodeFarewell(error_code reason);
[[nodiscard]] bool DecodeFarewell(std::string_view text, error_code& reason);

}  // namespace kommander::rest
