#include "target.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>

namespace kommander::fuzz {

std::span<const Target* const> AllTargets() noexcept {
  static constexpr std::array kAll{
      &kConfigurationTarget,     &kEntryBodyTarget,     &kFrameHeaderTarget,   &kFrameStreamTarget,
      &kGreetingTarget,          &kMessageValuesTarget, &kMessagesTarget,      &kPinsTarget,
      &kRaftCoreTarget,          &kRejectTarget,        &kSystemCommandTarget, &kWalRecordTarget,
#ifdef KOMMANDER_FUZZ_JSON
      &kConfigurationFileTarget,
#endif
#ifdef KOMMANDER_FUZZ_HTTP
      &kHttpExchangeTarget,      &kHttpRequestTarget,
#endif
#ifdef KOMMANDER_FUZZ_MULTICAST
      &kAnnouncementTarget,
#endif
#ifdef KOMMANDER_FUZZ_REST
      &kRestMessagesTarget,      &kRestReaderTarget,    &kRestRoutesTarget,
#endif
#ifdef KOMMANDER_FUZZ_TCP
      &kTcpConnectionTarget,
#endif
  };
  return kAll;
}

const Target* FindTarget(std::string_view name) noexcept {
  const auto all = AllTargets();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Target* target) { return target->name == name; });
  return found == all.end() ? nullptr : *found;
}

void Fail(const char* property, const char* file, int line) {
  std::fprintf(stderr, "broken property: %s at %s:%d\n", property, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace kommander::fuzz
