// What a log costs: entries and batches per second, syncs, and bytes written per entry, by batch
// size and number of partitions; then how long recovery takes. Beside it, what the disk can do.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include <kommander/memory_wal.hpp>
#include <kommander/rocksdb_wal.hpp>
#include <kommander/sqlite_wal.hpp>

#include "raw_probe.hpp"

namespace kommander::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

struct Settings {
  std::string backend = "rocksdb";
  std::string directory;
  std::vector<std::size_t> batch_sizes{1, 16, 256, 2048};
  std::vector<std::uint32_t> partition_counts{1, 16, 64};
  std::size_t payload_bytes = 128;
  double seconds = 3;
  double probe_seconds = 3;
  std::size_t write_buffer_bytes = 0;
  std::uint64_t recovery_entries = 1'000'000;
};

double Quantile(std::vector<double>& values, double quantile) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(quantile * static_cast<double>(values.size() - 1))];
}

[[noreturn]] void Die(const std::string& what, const error_code& error) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), error.message().c_str());
  std::exit(1);
}
void Require(const char* what, const error_code& error) {
  if (error) Die(what, error);
}

double SecondsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

// A store of its own directory, open, gone at the end.
class Store {
 public:
  explicit Store(const Settings& settings) : directory_(settings.directory + "/bench_wal") {
    std::filesystem::remove_all(directory_);
    if (settings.backend == "memory") {
      wal_ = std::make_shared<MemoryWal>();
    } else if (settings.backend == "sqlite") {
      wal_ = MakeSqliteWal(SqliteWalOptions(directory_).Shards(1));  // a batch has units of one set
    } else {
      RocksDbWalOptions options(directory_);
      if (settings.write_buffer_bytes != 0) options.WriteBufferBytes(settings.write_buffer_bytes);
      wal_ = MakeRocksDbWal(options);
    }
    Open();
  }
  ~Store() {
    wal_->Close();
    std::filesystem::remove_all(directory_);
  }
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  void Restart() {
    wal_->Close();
    Open();
  }
  Wal& wal() { return *wal_; }

 private:
  void Open() {
    std::optional<StoreIdentity> identity;
    std::string detail;
    const error_code error = wal_->Open(identity, detail);
    if (error) Die(detail, error);
  }
  std::string directory_;
  std::shared_ptr<Wal> wal_;
};

// Appends batches of `batch_size` entries, spread evenly over the partitions.
class Writer {
 public:
  Writer(Wal& wal, std::uint32_t partitions, std::size_t batch_size, std::size_t payload_bytes)
      : wal_(wal), payload_(std::string(payload_bytes, 'p')) {
    for (std::uint32_t p = 0; p < partitions; ++p) {
      WriteUnit creation;
      creation.partition = p;
      creation.boundary = BoundaryRecord();
      creations_.push_back(creation);
      WriteUnit unit;
      unit.partition = p;
      units_.push_back(unit);
    }
    used_ = std::min<std::size_t>(partitions, batch_size);
    for (std::size_t i = 0; i < batch_size; ++i) units_[i % used_].entries.emplace_back();
    next_.assign(partitions, 1);
    Require("creation", WriteUnits(creations_, creations_.size()));
  }

  void WriteBatch() {
    for (std::size_t i = 0; i < used_; ++i) {
      WriteUnit& unit = units_[i];
      unit.partition = static_cast<std::uint32_t>((first_ + i) % units_.size());
      std::uint64_t& next = next_[unit.partition.value()];
      for (Entry& entry : unit.entries) {
        entry = Entry(Term(1), LogIndex(next++), EntryKind::kApplication,
                      Ticket(1'700'000'000'000, 1, NodeId(1)), payload_);
      }
    }
    first_ += used_;
    Require("write", WriteUnits(units_, used_));
  }

 private:
  error_code WriteUnits(const std::vector<WriteUnit>& units, std::size_t count) {
    pointers_.clear();
    for (std::size_t i = 0; i < count; ++i) pointers_.push_back(&units[i]);
    return wal_.Write(pointers_);
  }
  Wal& wal_;
  Payload payload_;
  std::vector<WriteUnit> creations_;
  std::vector<WriteUnit> units_;
  std::vector<std::uint64_t> next_;
  std::vector<const WriteUnit*> pointers_;
  std::size_t used_ = 0;
  std::size_t first_ = 0;
};

void MeasureWrites(const Settings& settings, std::uint32_t partitions, std::size_t batch_size) {
  Store store(settings);
  Writer writer(store.wal(), partitions, batch_size, settings.payload_bytes);
  const WalStatistics before = store.wal().Statistics();
  std::vector<double> latencies;
  const SteadyClock::time_point start = SteadyClock::now();
  SteadyClock::time_point now = start;
  while (SecondsSince(start) < settings.seconds) {
    writer.WriteBatch();
    const SteadyClock::time_point after = SteadyClock::now();
    latencies.push_back(std::chrono::duration<double, std::micro>(after - now).count());
    now = after;
  }
  const double seconds = SecondsSince(start);
  const WalStatistics after = store.wal().Statistics();
  const auto batches = static_cast<double>(latencies.size());
  const double entries = batches * static_cast<double>(batch_size);
  std::printf("%-8s %10u %6zu %12.0f %10.0f %10.2f %12.1f %8.0f %8.0f\n", settings.backend.c_str(),
              partitions, batch_size, entries / seconds, batches / seconds,
              static_cast<double>(after.syncs - before.syncs) / batches,
              static_cast<double>(after.bytes_written - before.bytes_written) / entries,
              Quantile(latencies, 0.5), Quantile(latencies, 0.99));
  std::fflush(stdout);
}

void MeasureRecovery(const Settings& settings) {
  if (settings.recovery_entries == 0) return;
  Store store(settings);
  constexpr std::size_t kBatch = 2048;
  Writer writer(store.wal(), 1, kBatch, settings.payload_bytes);
  for (std::uint64_t i = 0; i < settings.recovery_entries; i += kBatch) writer.WriteBatch();
  SteadyClock::time_point start = SteadyClock::now();
  store.Restart();
  const double open_seconds = SecondsSince(start);
  start = SteadyClock::now();
  RecoveredPartition recovered;
  Require("recover", store.wal().Recover(0, recovered));
  const double recover_seconds = SecondsSince(start);
  start = SteadyClock::now();
  std::vector<Entry> chunk;
  for (std::uint64_t next = 1; next <= recovered.last_index.value(); next += chunk.size()) {
    Require("read",
            store.wal().Read(0, LogIndex(next), recovered.last_index, std::size_t{1} << 20, chunk));
  }
  std::printf("\nrecovery of %llu entries: open %.2f s, recover %.2f s, read %.2f s\n",
              static_cast<unsigned long long>(recovered.last_index.value()), open_seconds,
              recover_seconds, SecondsSince(start));
}

int Run(int argc, char** argv) {
  Settings settings;
  settings.directory = std::filesystem::current_path().string();
  CLI::App app("Measures a write-ahead log beside a raw probe of the same disk.");
  app.add_option("--backend", settings.backend, "rocksdb, sqlite (one shard) or memory")
      ->check(CLI::IsMember({"rocksdb", "memory"}))
      ->capture_default_str();
  app.add_option("--directory", settings.directory, "where to put the files")
      ->check(CLI::ExistingDirectory)
      ->capture_default_str();
  app.add_option("--batch", settings.batch_sizes, "entries per batch")->capture_default_str();
  app.add_option("--partitions", settings.partition_counts, "partitions")->capture_default_str();
  app.add_option("--payload-bytes", settings.payload_bytes, "bytes per entry")
      ->capture_default_str();
  app.add_option("--seconds", settings.seconds, "per row")->capture_default_str();
  app.add_option("--probe-seconds", settings.probe_seconds, "per raw probe; 0: none")
      ->capture_default_str();
  app.add_option("--write-buffer-bytes", settings.write_buffer_bytes, "0: the default")
      ->capture_default_str();
  app.add_option("--recovery-entries", settings.recovery_entries, "0: no recovery")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  if (settings.probe_seconds > 0) {
    const DiskProbe probe = ProbeDisk(settings.directory, settings.probe_seconds);
    std::printf("raw_fdatasync_per_second %.0f\nraw_fdatasync_p50_us %.0f\n",
                probe.one_file.syncs_per_second, probe.one_file.p50_us);
    std::printf("raw3_fdatasync_per_second %.0f\nraw3_fdatasync_p50_us %.0f\n\n",
                probe.three_files.syncs_per_second, probe.three_files.p50_us);
  }
  std::printf("%-8s %10s %6s %12s %10s %10s %12s %8s %8s\n", "backend", "partitions", "batch",
              "entries/s", "batches/s", "syncs/b", "bytes/entry", "p50_us", "p99_us");
  for (const std::size_t batch_size : settings.batch_sizes) {
    for (const std::uint32_t partitions : settings.partition_counts) {
      MeasureWrites(settings, partitions, batch_size);
    }
  }
  MeasureRecovery(settings);
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) { return kommander::bench::Run(argc, argv); }
