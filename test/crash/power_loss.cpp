// Images of a disk that lost its power: every prefix of the operations of a script, and what any
// correct disk may hold then. Each must open by itself and hold everything that was answered.
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <unordered_set>

#include "losses.hpp"
#include "matrix.hpp"
#include "recording.hpp"

namespace kommander::crash {
namespace {

constexpr std::size_t kShareImages = 300;
constexpr std::size_t kShareRestarts = 2;  // with a second loss of power
constexpr std::size_t kWholeRestarts = 60;
constexpr std::size_t kPrintedMax = 10;

class PowerLoss {
 public:
  PowerLoss(const Backend& backend, const MatrixOptions& options)
      : options_(options), workshop_(backend), random_(options.seed) {}

  Result Run() {
    ScriptOptions script_options;
    script_options.seed = options_.seed;
    script_options.steps = 460;
    script_options.body_bytes_max = 30'000;
    script_options.reopen_every = 90;
    script_ = MakeScript(script_options);
    progress_ = workshop_.Record(script_);
    workshop_.Close();
    FileTrace::Instance().Stop();
    operations_ = FileTrace::Instance().operations();
    if (!progress_.is_done) {
      std::printf("  the script did not pass on a sound disk\n");
      return {};
    }
    Enumerate();
    return Report();
  }

 private:
  void Enumerate() {
    share_ = options_.is_whole ? 1.0 : ShareOf(kShareImages, CountCandidates());
    const std::size_t restarts = options_.is_whole ? kWholeRestarts : kShareRestarts;
    const double restart_share = ShareOf(restarts, operations_.size());
    DiskImage disk;
    Contents before;
    std::size_t answered = 0;
    for (std::size_t position = 0; position <= operations_.size(); ++position) {
      if (position > 0) ApplyUnder(options_, disk, operations_[position - 1]);
      while (answered < script_.size() && AnsweredAt(answered) <= position) {
        before.Apply(script_[answered++]);
      }
      Contents after = before;
      if (answered < script_.size()) after.Apply(script_[answered]);
      where_ = "after " + std::to_string(position) + " operations, " + std::to_string(answered) +
               " calls answered";
      TryAll(disk, before, after, answered, share_);
      if (IsChosen(restart_share)) TryRestart(disk, before, after);
    }
  }

  [[nodiscard]] std::size_t AnsweredAt(std::size_t step) const {
    if (options_.control != "early-answers") return progress_.answered_at[step];
    return step == 0 ? 0 : progress_.answered_at[step - 1];
  }

  [[nodiscard]] std::size_t CountCandidates() const {
    return operations_.size() * (std::size(kVariants) - 2);
  }
  static double ShareOf(std::size_t wanted, std::size_t all) {
    return static_cast<double>(wanted) / static_cast<double>(std::max<std::size_t>(all, 1));
  }
  bool IsChosen(double share) {
    return share >= 1.0 || std::uniform_real_distribution<double>(0, 1)(random_) < share;
  }

  void TryAll(const DiskImage& disk, const Contents& before, const Contents& after,
              std::size_t answered, double share) {
    for (const Variant& variant : kVariants) {
      if (variant.needs_write && disk.newest_write_bytes() == 0) continue;
      if (!IsChosen(share)) continue;
      const Survivors survivors = disk.LosePower(variant.loss, random_);
      if (!seen_.insert(survivors.Hash() + answered).second) {
        ++duplicates_;
        continue;
      }
      ++images_by_variant_[variant.name];
      Judge(variant.name, workshop_.Restart(survivors, before, after));
    }
  }

  // The power fails once more, during or right after the restart. What the restart has reported is
  // as good as an answer.
  void TryRestart(const DiskImage& disk, const Contents& before, const Contents& after) {
    const Survivors survivors = disk.LosePower(kSomeSectors, random_);
    DiskImage again;
    std::vector<Operation> operations;
    std::size_t opened_at = 0;
    const Outcome outcome =
        workshop_.RestartRecorded(survivors, before, after, again, operations, opened_at);
    Judge("a restart", outcome);
    if (!outcome.is_well()) return;
    const std::string where = where_;
    ++restarts_;
    for (std::size_t position = 1; position <= operations.size(); ++position) {
      again.Apply(operations[position - 1]);
      if (!IsSync(operations[position - 1]) && position != opened_at) continue;
      where_ = where + ", then " + std::to_string(position) + " of a restart";
      const bool is_reported = position >= opened_at;
      for (const Variant& variant : kVariants) {
        if (variant.needs_write || !IsChosen(0.5)) continue;
        ++images_by_variant_["during a restart"];
        Judge(variant.name, workshop_.Restart(again.LosePower(variant.loss, random_),
                                              is_reported ? outcome.read.found : before,
                                              is_reported ? outcome.read.found : after));
      }
    }
    where_ = where;
  }

  void Judge(const char* variant, const Outcome& outcome) {
    ++images_;
    if (outcome.is_well()) return;
    if (outcome.error) {
      ++refusals_[outcome.error.message()];
    } else {
      ++violations_;
    }
    if (++printed_ > kPrintedMax) return;
    std::printf("  VIOLATED %s, %s: %s\n", where_.c_str(), variant, outcome.Problem().c_str());
  }

  [[nodiscard]] Result Report() const {
    const auto syncs = std::count_if(operations_.begin(), operations_.end(), IsSync);
    std::printf("  script: %zu calls, %zu operations, %td syncs\n", script_.size(),
                operations_.size(), syncs);
    for (const auto& [name, count] : images_by_variant_) {
      std::printf("  images: %6zu %s\n", count, name.c_str());
    }
    std::printf(
        "  images: %6zu in all (%zu more were equal to one of them), %zu restarts crashed\n",
        images_, duplicates_, restarts_);
    for (const auto& [reason, count] : refusals_) {
      std::printf("  refused: %zu: %s\n", count, reason.c_str());
    }
    std::size_t refused = 0;
    for (const auto& [reason, count] : refusals_) refused += count;
    std::printf("  power loss: %zu images, %zu violations, %zu refusals\n", images_, violations_,
                refused);
    Result result;
    result.is_complete = true;
    result.cases = images_;
    result.problems = violations_ + refused;
    return result;
  }

  const MatrixOptions& options_;
  Workshop workshop_;
  std::mt19937_64 random_;
  std::vector<Step> script_;
  Progress progress_;
  std::vector<Operation> operations_;
  double share_ = 1.0;
  std::string where_;
  std::unordered_set<std::uint64_t> seen_;
  std::size_t images_ = 0;
  std::size_t duplicates_ = 0;
  std::size_t restarts_ = 0;
  std::size_t violations_ = 0;
  std::size_t printed_ = 0;
  std::map<std::string, std::size_t> images_by_variant_;
  std::map<std::string, std::size_t> refusals_;
};

}  // namespace

Result RunPowerLoss(const Backend& backend, const MatrixOptions& options) {
  return PowerLoss(backend, options).Run();
}

}  // namespace kommander::crash
