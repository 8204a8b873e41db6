// RaftErrc as a boost::system error code, with the three questions that callers ask of an error.
#pragma once

#include <optional>
#include <type_traits>

#include <boost/system/error_code.hpp>

#include <kommander/errc.hpp>
#include <kommander/time.hpp>

namespace kommander {

using error_code = boost::system::error_code;

[[nodiscard]] const boost::system::error_category& RaftCategory() noexcept;
[[nodiscard]] inline error_code make_error_code(RaftErrc errc) noexcept {
  return {static_cast<int>(errc), RaftCategory()};
}

// The same call may succeed later or on another node, and this one certainly had no effect.
[[nodiscard]] bool IsRetryable(const error_code& error) noexcept;
// The write may have been, or may still be, applied. OutcomeUnknown and ProposalTimeout only.
[[nodiscard]] bool IsOutcomeUnknown(const error_code& error) noexcept;
// How long to wait before the same call is made again, here or where the result's `leader` says;
// none: the error is not retryable. A hint: whoever calls much adds something random to it.
[[nodiscard]] std::optional<Duration> RetryAfter(const error_code& error) noexcept;
// This node serves no more until it is restarted.
[[nodiscard]] bool IsFatal(const error_code& error) noexcept;

}  // namespace kommander

template <>
struct boost::system::is_error_code_enum<kommander::RaftErrc> : std::true_type {};
