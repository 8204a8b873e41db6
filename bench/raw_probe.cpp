#include "raw_probe.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <exception>
#include <fcntl.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <vector>

namespace kommander::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kAppendBytes = 4096;

[[noreturn]] void Fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class ProbeFile {
 public:
  explicit ProbeFile(std::string path)
      : path_(std::move(path)),
        descriptor_(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) Fail("open " + path_);
  }
  ~ProbeFile() {
    close(descriptor_);
    unlink(path_.c_str());
  }
  ProbeFile(const ProbeFile&) = delete;
  ProbeFile& operator=(const ProbeFile&) = delete;

  void Append() {
    static const std::array<std::byte, kAppendBytes> kBlock{};
    if (write(descriptor_, kBlock.data(), kBlock.size()) != static_cast<ssize_t>(kBlock.size())) {
      Fail("write " + path_);
    }
    if (fdatasync(descriptor_) != 0) Fail("fdatasync " + path_);
  }

 private:
  std::string path_;
  int descriptor_;
};

std::vector<double> AppendUntil(const std::string& path, Clock::time_point end) {
  ProbeFile file(path);
  std::vector<double> latencies_us;
  for (Clock::time_point begin = Clock::now(); begin < end;) {
    file.Append();
    const Clock::time_point done = Clock::now();
    latencies_us.push_back(std::chrono::duration<double, std::micro>(done - begin).count());
    begin = done;
  }
  return latencies_us;
}

double Quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

}  // namespace

SyncProbe ProbeSyncs(const std::string& directory, std::uint32_t files, double seconds) {
  const Clock::time_point begin = Clock::now();
  const Clock::time_point end =
      begin + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  std::vector<std::vector<double>> results(files);
  std::vector<std::exception_ptr> failures(files);
  std::vector<std::thread> threads;
  for (std::uint32_t i = 0; i < files; ++i) {
    threads.emplace_back([&, i] {
      try {
        results[i] = AppendUntil(directory + "/raw_probe." + std::to_string(i), end);
      } catch (...) {
        failures[i] = std::current_exception();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
  const std::chrono::duration<double> elapsed = Clock::now() - begin;
  std::vector<double> all;
  for (const std::vector<double>& result : results) {
    all.insert(all.end(), result.begin(), result.end());
  }
  std::sort(all.begin(), all.end());
  SyncProbe probe;
  probe.syncs_per_second = static_cast<double>(all.size()) / elapsed.count();
  probe.p50_us = Quantile(all, 0.5);
  probe.p99_us = Quantile(all, 0.99);
  return probe;
}

DiskProbe ProbeDisk(const std::string& directory, double seconds) {
  DiskProbe probe;
  probe.one_file = ProbeSyncs(directory, 1, seconds);
  probe.three_files = ProbeSyncs(directory, 3, seconds);
  return probe;
}

}  // namespace kommander::bench
