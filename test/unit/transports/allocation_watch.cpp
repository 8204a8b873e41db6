// Replaces the global operator new, to prove what a declared length makes a receiver allocate.
#include "allocation_watch.hpp"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> largest{0};

void* Try(std::size_t bytes) noexcept {
  std::size_t seen = largest.load(std::memory_order_relaxed);
  while (bytes > seen && !largest.compare_exchange_weak(seen, bytes, std::memory_order_relaxed)) {
  }
  return std::malloc(bytes != 0 ? bytes : 1);
}

void* Allocate(std::size_t bytes) {
  if (void* memory = Try(bytes)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t bytes) { return Allocate(bytes); }
void* operator new[](std::size_t bytes) { return Allocate(bytes); }
// std::stable_sort asks without exceptions; a sanitizer's own form would not fit our delete.
void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept { return Try(bytes); }
void* operator new[](std::size_t bytes, const std::nothrow_t&) noexcept { return Try(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace kommander::testing {

void ForgetAllocations() noexcept { largest.store(0, std::memory_order_relaxed); }
std::size_t LargestAllocation() noexcept { return largest.load(std::memory_order_relaxed); }

}  // namespace kommander::testing
