// The text side of a trace, out of the hot path.
#include "trace.hpp"

namespace kommander::sim {

namespace {
double Seconds(Instant now) {
  return std::chrono::duration<double>(now.time_since_epoch()).count();
}
}  // namespace

void Trace::Emit(const char* line) noexcept {
  if (text_ != nullptr) text_->append(line);
  if (file_ != nullptr) std::fputs(line, file_);
}

void Trace::Write(Instant now, const char* name, std::uint64_t a, std::uint64_t b, std::uint64_t c,
                  std::uint64_t d) noexcept {
  char line[256];
  std::snprintf(line, sizeof line, "%014.9f %016llx %-18s %llu %llu %llu %llu\n", Seconds(now),
                static_cast<unsigned long long>(hash_), name, static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b), static_cast<unsigned long long>(c),
                static_cast<unsigned long long>(d));
  Emit(line);
}

void Trace::Note(Instant now, const std::string& note) {
  if (!HasText()) return;
  char stamp[64];
  std::snprintf(stamp, sizeof stamp, "%014.9f %016llx # ", Seconds(now),
                static_cast<unsigned long long>(hash_));
  Emit((stamp + note + "\n").c_str());
}

}  // namespace kommander::sim
