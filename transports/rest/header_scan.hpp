// Looks for the end of a header as its bytes come. Beast's parser then gets it whole: of one in
// pieces it refuses some that are sound, and bounds each field alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace kommander::rest {

inline constexpr std::size_t kHeaderBytesMax = 8192;

class HeaderScan {
 public:
  enum class Result : std::uint8_t { kNeedMore, kWhole, kBareLineFeed, kTooLarge };

  // `text`: all that has come since the header's first byte. Looks at each byte once.
  [[nodiscard]] Result Look(std::string_view text) noexcept {
    text = text.substr(0, kHeaderBytesMax);
    for (; size_ < text.size(); ++size_) {
      if (text[size_] != '\n') continue;
      if (size_ == 0 || text[size_ - 1] != '\r') return Result::kBareLineFeed;
      if (size_ < 3 || text[size_ - 2] != '\n') continue;
      ++size_;
      return Result::kWhole;
    }
    return size_ == kHeaderBytesMax ? Result::kTooLarge : Result::kNeedMore;
  }
  // Of the header that is whole; begins anew with the next one.
  [[nodiscard]] std::size_t Take() noexcept { return std::exchange(size_, 0); }

 private:
  std::size_t size_ = 0;
};

}  // namespace kommander::rest
