// One life of a log over a watched disk, and restarts from what is left of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "../conformance/temporary_directory.hpp"
#include "backends.hpp"
#include "disk_image.hpp"
#include "file_trace.hpp"
#include "script.hpp"

namespace kommander::crash {

// Directories on a file system in memory where there is one, since durability is modelled.
[[nodiscard]] std::string FastDirectory();
// Makes it an empty directory; answers its path.
std::string Refill(const std::string& root);

// How far a script came, told in operations of the disk.
struct Progress {
  std::vector<std::size_t> answered_at;  // by step: how many operations had been made by then
  bool is_open = false;                  // the log is, or was when a call failed
  bool is_done = false;
};

// How a restart went.
struct Outcome {
  error_code error;    // of the open
  std::string detail;  // of the open
  Comparison read;     // when it opened
  std::string write;   // what was wrong with a write after it, if one was made

  [[nodiscard]] bool is_well() const noexcept { return !error && read.is_equal() && write.empty(); }
  // One line about what was not well.
  [[nodiscard]] std::string Problem() const {
    if (error) return "refused: " + detail;
    if (!read.difference.empty()) return read.difference;
    return read.damage.empty() ? write : read.damage;
  }
};

class Workshop {
 public:
  explicit Workshop(const Backend& backend);

  // Runs the script below the recorded root until a call fails; the `nth` operation of the disk
  // fails, if that is not 0.
  [[nodiscard]] Progress Record(const std::vector<Step>& script, std::uint64_t nth = 0,
                                const Fault& fault = Fault());
  // The log that Record left behind, for more calls. None after a failed open.
  [[nodiscard]] Wal* wal() const noexcept { return wal_.get(); }
  // Closes it. The recording goes on.
  void Close();
  // Opens what is below the recorded root anew, closes it again.
  [[nodiscard]] Outcome ReopenRecorded(const Contents& before, const Contents& after);
  // Where the recorded log lives.
  [[nodiscard]] std::string recorded_root() const { return directory_.PathOf("disk"); }

  // Restarts from survivors, in a directory of their own; the log takes a write as well.
  [[nodiscard]] Outcome Restart(const Survivors& survivors, const Contents& before,
                                const Contents& after);
  // The same, recorded, without the write; `opened_at`: operations made when the open returned.
  [[nodiscard]] Outcome RestartRecorded(const Survivors& survivors, const Contents& before,
                                        const Contents& after, DiskImage& disk,
                                        std::vector<Operation>& operations, std::size_t& opened_at);

 private:
  [[nodiscard]] Outcome Open(const std::string& root, const Contents& before,
                             const Contents& after);

  const Backend& backend_;
  conformance::TemporaryDirectory directory_;
  std::shared_ptr<Wal> wal_;
};

}  // namespace kommander::crash
