// What happened in a run, as a growing hash and, when asked for, as lines of text. The hash takes
// in every scheduling decision, and every line shows it: two runs of one seed that differ anywhere
// differ in the next line.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include <kommander/time.hpp>

namespace kommander::sim {

class Trace {
 public:
  // Text goes to `sink` from now on; it must outlive the trace. Null: only the hash is kept.
  void WriteTo(std::string* sink) noexcept { text_ = sink; }
  void WriteTo(std::FILE* sink) noexcept { file_ = sink; }

  void Mix(std::uint64_t value) noexcept {
    hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15u;
    hash_ ^= hash_ >> 29;
  }
  // One named event with up to four numbers, which say what the name's place in the code says.
  void Event(Instant now, const char* name, std::uint64_t a = 0, std::uint64_t b = 0,
             std::uint64_t c = 0, std::uint64_t d = 0) noexcept {
    Mix(a);
    Mix(b + 1);
    Mix(c + 2);
    Mix(d + 3);
    ++events_;
    if (text_ != nullptr || file_ != nullptr) Write(now, name, a, b, c, d);
  }
  [[nodiscard]] bool HasText() const noexcept { return text_ != nullptr || file_ != nullptr; }
  // A line for people; not part of the hash.
  void Note(Instant now, const std::string& line);
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] std::uint64_t events() const noexcept { return events_; }

 private:
  void Write(Instant now, const char* name, std::uint64_t a, std::uint64_t b, std::uint64_t c,
             std::uint64_t d) noexcept;
  void Emit(const char* line) noexcept;

  std::uint64_t hash_ = 0x6b6f6d6d616e6465u;
  std::uint64_t events_ = 0;
  std::string* text_ = nullptr;
  std::FILE* file_ = nullptr;
};

}  // namespace kommander::sim
