#include "pulses.hpp"

#include <cerrno>
#include <new>
#include <sys/mman.h>
#include <system_error>

namespace kommander::sim {

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);  // else it is not for two processes

Pulses::Pulses(std::uint32_t workers) : workers_(workers) {
  void* memory = ::mmap(nullptr, workers * sizeof *pulses_, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
  pulses_ = new (memory) std::atomic<std::uint64_t>[workers]();
}

Pulses::~Pulses() { ::munmap(pulses_, workers_ * sizeof *pulses_); }

}  // namespace kommander::sim
