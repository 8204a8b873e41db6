// What the operating system says of this process.
#include <fstream>
#include <string>
#include <sys/resource.h>

#include "node_report.hpp"

namespace kommander::bench {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

}  // namespace

// ru_maxrss would count what the parent had before exec; /proc does not.
ProcessUsage CurrentUsage() {
  ProcessUsage used;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  used.cpu_seconds = Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
  used.context_switches = static_cast<std::uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> used.peak_rss_kib;
    if (word == "VmRSS:") status >> used.rss_kib;
  }
  return used;
}

}  // namespace kommander::bench
