// Compiles under -Werror=thread-safety with LOCKED only.
#include <kommander/detail/mutex.hpp>

class Counter {
 public:
  int Read() {
#ifdef LOCKED
    const kommander::detail::MutexLock lock(mutex_);
#endif
    return count_;
  }

 private:
  kommander::detail::Mutex mutex_;
  int count_ KOMMANDER_GUARDED_BY(mutex_) = 0;
};

int Use() { return Counter().Read(); }
