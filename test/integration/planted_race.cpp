// A race of two threads over one string, which ThreadSanitizer has to tell: no suppression that is
// meant for somebody else's threads may hide it. The flag keeps them apart in fact, and orders
// nothing.
#include <atomic>
#include <cstdio>
#include <string>
#include <thread>

int main() {
  const std::string one(100, 'a');
  const std::string other(100, 'b');
  std::string shared;
  std::atomic<bool> is_assigned{false};
  std::thread assigns([&] {
    shared = one;
    is_assigned.store(true, std::memory_order_relaxed);
  });
  while (!is_assigned.load(std::memory_order_relaxed)) std::this_thread::yield();
  shared = other;
  assigns.join();
  std::printf("%zu\n", shared.size());
}
