// RaftErrc as a boost::system error code, with the three questions that callers ask of an error.
#pragma once

#include <optional>
#include <string_view>
#include <type_traits>

#include <boost/system/error_code.hpp>

#include <kommander/detail/export.hpp>
#include <kommander/errc.hpp>
#include <kommander/time.hpp>

namespace kommander {

// What every call is answered with: a RaftErrc, or an error of Asio's or of the system.
using error_code = boost::system::error_code;

// The category of RaftErrc; one object in the process.
[[nodiscard]] KOMMANDER_EXPORT const boost::system::error_category& RaftCategory() noexcept;
// For the conversion from RaftErrc, which Boost finds by this name.
[[nodiscard]] inline error_code make_error_code(RaftErrc errc) noexcept {
  return {static_cast<int>(errc), RaftCategory()};
}

// The name, as RaftErrc spells it: "NodeIsNotLeader", ... Of a number that is none: "Unknown".
[[nodiscard]] KOMMANDER_EXPORT std::string_view ToString(RaftErrc errc) noexcept;

// The same call may succeed later or on another node, and this one certainly had no effect.
[[nodiscard]] KOMMANDER_EXPORT bool IsRetryable(const error_code& error) noexcept;
// The write may have been, or may still be, applied. OutcomeUnknown and ProposalTimeout only.
[[nodiscard]] KOMMANDER_EXPORT bool IsOutcomeUnknown(const error_code& error) noexcept;
// How long to wait before the same call is made again, here or where the result's `leader` says;
// none: the error is not retryable. A hint: whoever calls much adds something random to it.
[[nodiscard]] KOMMANDER_EXPORT std::optional<Duration> RetryAfter(const error_code& error) noexcept;
// This node serves no more until it is restarted.
[[nodiscard]] KOMMANDER_EXPORT bool IsFatal(const error_code& error) noexcept;

}  // namespace kommander

template <>
struct boost::system::is_error_code_enum<kommander::RaftErrc> : std::true_type {};
