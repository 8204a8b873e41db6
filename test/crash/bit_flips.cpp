// One wrong bit in every 64th byte of every file of a log whose calls were all answered. The log
// must refuse to open, or refuse to read what is damaged, or hold everything all the same.
#include <cstdio>
#include <map>
#include <random>
#include <string>
#include <utility>

#include "matrix.hpp"
#include "recording.hpp"

namespace kommander::crash {
namespace {

constexpr std::size_t kStride = 64;
constexpr std::size_t kShareFlips = 300;

struct FileCounts {
  std::size_t refused = 0;    // to open
  std::size_t contained = 0;  // a partition or a name could not be read, and said so
  std::size_t harmless = 0;   // everything is there
  std::size_t missed = 0;
};

// Files of the same kind are counted together: "db/000012.sst" with all of its like.
std::string KindOf(const std::string& path) {
  std::string kind;
  for (const char letter : path) {
    if (letter < '0' || letter > '9') kind += letter;
  }
  return kind;
}

class BitFlips {
 public:
  BitFlips(const Backend& backend, const MatrixOptions& options)
      : options_(options), workshop_(backend), random_(options.seed) {}

  Result Run() {
    ScriptOptions script_options;
    script_options.seed = options_.seed + 2000;
    script_options.steps = 60;
    script_options.body_bytes_max = 1500;
    script_options.reopen_every = 40;  // sorted files, and a log that was not yet sorted
    const std::vector<Step> script = MakeScript(script_options);
    const Progress progress = workshop_.Record(script);
    // Before the close: a store as a killed process leaves it.
    DiskImage disk;
    for (const Operation& operation : FileTrace::Instance().operations()) disk.Apply(operation);
    workshop_.Close();
    FileTrace::Instance().Stop();
    if (!progress.is_done) {
      std::printf("  the script did not pass on a sound disk\n");
      return {};
    }
    for (const Step& step : script) expected_.Apply(step);
    const Survivors whole = disk.LosePower({Loss::Names::kAll, Loss::Contents::kAll, 0}, random_);
    const Outcome outcome = workshop_.Restart(whole, expected_, expected_);
    if (!outcome.is_well()) {
      std::printf("  without a wrong bit: %s\n", outcome.Problem().c_str());
      return {};
    }
    FlipAll(whole);
    return Report();
  }

 private:
  void FlipAll(const Survivors& whole) {
    std::size_t all = 0;
    for (const auto& [path, contents] : whole.files) all += contents.size() / kStride + 1;
    const double share = static_cast<double>(kShareFlips) / static_cast<double>(all);
    std::uniform_real_distribution<double> chance(0, 1);
    for (const auto& [path, contents] : whole.files) {
      for (std::size_t at = 0; at < contents.size(); at += kStride) {
        if (!options_.is_whole && chance(random_) >= share) continue;
        Survivors damaged = whole;
        char& byte = damaged.files[path][at];
        byte = static_cast<char>(byte ^ (1 << at / kStride % 8));
        Judge(path, at, workshop_.Restart(damaged, expected_, expected_));
      }
    }
  }

  void Judge(const std::string& path, std::size_t at, const Outcome& outcome) {
    FileCounts& counts = by_kind_[KindOf(path)];
    if (outcome.error) {
      ++counts.refused;
      ++refusals_[outcome.error.message()];
    } else if (!outcome.read.difference.empty() || !outcome.write.empty()) {
      ++counts.missed;
      std::printf("  MISSED %s, byte %zu: %s\n", path.c_str(), at, outcome.Problem().c_str());
    } else if (!outcome.read.damage.empty()) {
      ++counts.contained;
    } else {
      ++counts.harmless;
    }
  }

  [[nodiscard]] Result Report() const {
    FileCounts sum;
    for (const auto& [kind, counts] : by_kind_) {
      std::printf("  %-20s %6zu refused, %6zu contained, %6zu harmless, %6zu missed\n",
                  kind.c_str(), counts.refused, counts.contained, counts.harmless, counts.missed);
      sum.refused += counts.refused;
      sum.contained += counts.contained;
      sum.harmless += counts.harmless;
      sum.missed += counts.missed;
    }
    for (const auto& [reason, count] : refusals_) {
      std::printf("  refused: %zu: %s\n", count, reason.c_str());
    }
    std::printf("  bit flips: %zu detected, %zu harmless, %zu missed\n",
                sum.refused + sum.contained, sum.harmless, sum.missed);
    const std::size_t detected = sum.refused + sum.contained;
    Result result;
    result.is_complete = detected > 0;  // some bits of a log matter
    result.cases = detected + sum.harmless + sum.missed;
    result.problems = sum.missed;
    return result;
  }

  const MatrixOptions& options_;
  Workshop workshop_;
  std::mt19937_64 random_;
  Contents expected_;
  std::map<std::string, FileCounts> by_kind_;
  std::map<std::string, std::size_t> refusals_;
};

}  // namespace

Result RunBitFlips(const Backend& backend, const MatrixOptions& options) {
  return BitFlips(backend, options).Run();
}

}  // namespace kommander::crash
