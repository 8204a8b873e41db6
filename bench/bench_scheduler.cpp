// What the I/O scheduler itself costs: units per second from one submitting thread through the
// writer and back, with a store that does nothing and with one that keeps everything in memory.
// Counts that do not depend on the machine stand beside the times: units per write, context
// switches and allocations per unit.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <time.h>
#include <vector>

#include <CLI/CLI.hpp>

#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>

#include "process_counts.hpp"
#include "runtime/io_scheduler.hpp"

namespace kommander::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Settings {
  std::vector<std::string> stores{"null", "memory"};
  std::vector<std::uint32_t> lane_counts{1, 64, 1000};
  std::vector<std::uint32_t> windows{1, 64, 4096};
  std::size_t payload_bytes = 128;
  unsigned sync_us = 0;
  double seconds = 1;
};

// Stores nothing; may take as long as a sync would.
class NullWal final : public Wal {
 public:
  explicit NullWal(unsigned sync_us) : sync_us_(sync_us) {}
  error_code Open(std::optional<StoreIdentity>&, std::string&) override { return {}; }
  error_code Create(const StoreIdentity&) override { return {}; }
  error_code ListPartitions(std::vector<PartitionId>&) override { return {}; }
  error_code Recover(PartitionId, RecoveredPartition&) override { return {}; }
  error_code Write(std::span<const WriteUnit* const>) override {
    if (sync_us_ != 0) {
      const timespec span{0, static_cast<long>(sync_us_) * 1000};
      clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
    }
    return {};
  }
  error_code Read(PartitionId, LogIndex, LogIndex, std::size_t, std::vector<Entry>&) override {
    return {};
  }
  error_code DeletePartition(PartitionId) override { return {}; }
  error_code GetMetadata(std::string_view, std::optional<Payload>&) override { return {}; }
  error_code PutMetadata(std::string_view, const Payload&) override { return {}; }
  WalStatistics Statistics() const noexcept override { return {}; }
  void Close() noexcept override {}

 private:
  const unsigned sync_us_;
};

// Lets the submitting thread keep `window` units on their way.
class WindowSink final : public IoSink {
 public:
  explicit WindowSink(std::uint32_t lanes) : answered_of_lane_(lanes, 0) {}

  void OnWritten(PartitionId partition, UnitId unit, error_code error) noexcept override {
    if (error) {
      std::fprintf(stderr, "write: %s\n", error.message().c_str());
      std::exit(1);
    }
    std::uint64_t& answered = answered_of_lane_[partition.value()];
    answered_.fetch_add(unit.value() - answered);
    answered = unit.value();
    if (waiting_.load()) answered_.notify_one();
  }
  void OnRead(ReadResult) noexcept override {}

  void AwaitAnswered(std::uint64_t count) {
    std::uint64_t answered = answered_.load(std::memory_order_acquire);
    while (answered < count) {
      waiting_ = true;
      answered_.wait(answered);
      waiting_ = false;
      answered = answered_.load(std::memory_order_acquire);
    }
  }

 private:
  std::vector<std::uint64_t> answered_of_lane_;  // the writer thread's
  std::atomic<std::uint64_t> answered_{0};
  std::atomic<bool> waiting_{false};
};

void Require(error_code error) {
  if (!error) return;
  std::fprintf(stderr, "%s\n", error.message().c_str());
  std::exit(1);
}

std::shared_ptr<Wal> MakeStore(const Settings& settings, const std::string& name) {
  std::shared_ptr<Wal> wal;
  if (name == "null") {
    wal = std::make_shared<NullWal>(settings.sync_us);
  } else {
    wal = std::make_shared<MemoryWal>();
  }
  std::optional<StoreIdentity> identity;
  std::string detail;
  Require(wal->Open(identity, detail));
  return wal;
}

// Submits to the lanes in turn; removes what the store keeps now and then.
class Submitter {
 public:
  Submitter(runtime::FairIoScheduler& scheduler, std::uint32_t lanes, std::size_t payload_bytes)
      : scheduler_(scheduler),
        sink_(std::make_shared<WindowSink>(lanes)),
        payload_(std::string(payload_bytes, 'p')),
        next_(lanes, 0) {}

  void SubmitOne(std::uint64_t window) {
    sink_->AwaitAnswered(submitted_ < window ? 0 : submitted_ + 1 - window);
    const auto lane = static_cast<std::uint32_t>(submitted_ % next_.size());
    const std::uint64_t number = ++next_[lane];
    WriteUnit unit;
    unit.partition = lane;
    unit.unit = UnitId(number);
    if (number % 1024 == 1) {
      unit.boundary = BoundaryRecord();
      unit.boundary->index = LogIndex(number - 1);
      unit.boundary->term = Term(number == 1 ? 0 : 1);
    }
    unit.entries.emplace_back(Term(1), LogIndex(number), EntryKind::kApplication, Ticket(),
                              payload_);
    Require(scheduler_.SubmitWrite(std::move(unit), sink_));
    ++submitted_;
  }
  void AwaitAll() { sink_->AwaitAnswered(submitted_); }
  [[nodiscard]] std::uint64_t submitted() const noexcept { return submitted_; }

 private:
  runtime::FairIoScheduler& scheduler_;
  const std::shared_ptr<WindowSink> sink_;
  const Payload payload_;
  std::vector<std::uint64_t> next_;
  std::uint64_t submitted_ = 0;
};

void Measure(const Settings& settings, const std::string& store, std::uint32_t lanes,
             std::uint32_t window) {
  runtime::IoSchedulerOptions options;
  options.lane_units_max = window;
  runtime::FairIoScheduler scheduler(options, MakeSteadyClock());
  Require(scheduler.Start(MakeStore(settings, store)));
  Submitter submitter(scheduler, lanes, settings.payload_bytes);
  for (std::uint32_t i = 0; i < 2 * lanes + window; ++i) submitter.SubmitOne(window);
  submitter.AwaitAll();

  const std::uint64_t units_before = submitter.submitted();
  const IoStatistics before = scheduler.Statistics();
  const std::uint64_t switches_before = ContextSwitchCount();
  const std::uint64_t allocations_before = AllocationCount();
  const SteadyClock::time_point start = SteadyClock::now();
  const auto end = start + std::chrono::duration<double>(settings.seconds);
  do {
    for (int i = 0; i < 64; ++i) submitter.SubmitOne(window);
  } while (SteadyClock::now() < end);
  submitter.AwaitAll();
  const double seconds = std::chrono::duration<double>(SteadyClock::now() - start).count();
  const auto units = static_cast<double>(submitter.submitted() - units_before);
  const std::uint64_t allocated = AllocationCount() - allocations_before;
  const std::uint64_t switches = ContextSwitchCount() - switches_before;
  const auto batches =
      static_cast<double>(scheduler.Statistics().write_batches - before.write_batches);
  std::printf("%-8s %6u %7u %12.0f %12.0f %11.1f %14.3f %12.2f\n", store.c_str(), lanes, window,
              units / seconds, batches / seconds, units / batches,
              static_cast<double>(switches) / units, static_cast<double>(allocated) / units);
  std::fflush(stdout);
}

int Run(int argc, char** argv) {
  Settings settings;
  CLI::App app("Measures the I/O scheduler with one submitting thread and no disk.");
  app.add_option("--store", settings.stores, "null, memory")
      ->check(CLI::IsMember({"null", "memory"}))
      ->capture_default_str();
  app.add_option("--lanes", settings.lane_counts, "partitions that the units are spread over")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  app.add_option("--window", settings.windows, "units on their way at a time")
      ->check(CLI::Range(1U, 60'000U))
      ->capture_default_str();
  app.add_option("--payload-bytes", settings.payload_bytes, "of the one entry of a unit")
      ->capture_default_str();
  app.add_option("--sync-us", settings.sync_us, "how long a write of the null store takes")
      ->check(CLI::Range(0U, 900'000U))
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "per line")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  std::printf("%-8s %6s %7s %12s %12s %11s %14s %12s\n", "store", "lanes", "window", "units/s",
              "writes/s", "units/write", "switches/unit", "allocs/unit");
  for (const std::string& store : settings.stores) {
    for (const std::uint32_t lanes : settings.lane_counts) {
      for (const std::uint32_t window : settings.windows) Measure(settings, store, lanes, window);
    }
  }
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) { return kommander::bench::Run(argc, argv); }
