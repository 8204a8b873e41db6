// A fuzz target: a function that takes any bytes and must neither crash nor break a property, and a
// few inputs made from real encodings, from which a fuzzer begins. Written once; libFuzzer runs
// targets in search of new inputs, the replay runs all of them on what is known, as a test.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <kommander/payload.hpp>

namespace kommander::fuzz {

struct Target {
  std::string_view name;
  void (*run)(ByteSpan input);
  std::vector<std::string> (*seeds)();
};

extern const Target kAnnouncementTarget;  // when there is discovery by multicast
extern const Target kConfigurationTarget;
extern const Target kConfigurationFileTarget;  // when there is nlohmann_json
extern const Target kEntryBodyTarget;
extern const Target kFrameHeaderTarget;
extern const Target kFrameStreamTarget;
extern const Target kGreetingTarget;
extern const Target kHttpExchangeTarget;  // when there is Boost.JSON
extern const Target kHttpRequestTarget;
extern const Target kMessagesTarget;
extern const Target kMessageValuesTarget;
extern const Target kPinsTarget;
extern const Target kRaftCoreTarget;
extern const Target kRejectTarget;
extern const Target kRestMessagesTarget;  // when HTTP is built
extern const Target kRestReaderTarget;
extern const Target kRestRoutesTarget;
extern const Target kSystemCommandTarget;
extern const Target kTcpConnectionTarget;  // when the transport is built
extern const Target kWalRecordTarget;

[[nodiscard]] std::span<const Target* const> AllTargets() noexcept;
// Null: there is none of that name.
[[nodiscard]] const Target* FindTarget(std::string_view name) noexcept;

// Ends the process, so that the fuzzer keeps the input.
[[noreturn]] void Fail(const char* property, const char* file, int line);

}  // namespace kommander::fuzz

#define FUZZ_REQUIRE(condition)                        \
  (static_cast<bool>(condition) ? static_cast<void>(0) \
                                : ::kommander::fuzz::Fail(#condition, __FILE__, __LINE__))
