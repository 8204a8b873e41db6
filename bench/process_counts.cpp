// Replaces the global allocation functions. In a file of its own, so that no call is inlined into
// code where the compiler would see malloc and delete meet.
#include "process_counts.hpp"

#include <atomic>
#include <cstdlib>
#include <new>
#include <sys/resource.h>

namespace {
std::atomic<std::uint64_t> allocations{0};
}  // namespace

void* operator new(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace kommander::bench {

std::uint64_t AllocationCount() noexcept { return allocations.load(std::memory_order_relaxed); }

std::uint64_t ContextSwitchCount() noexcept {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
}

}  // namespace kommander::bench
