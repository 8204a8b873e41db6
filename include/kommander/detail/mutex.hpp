// Mutexes whose discipline the compiler checks: a member names the mutex that guards it, a function
// the one that its caller holds, and clang's -Wthread-safety refuses what breaks the rule (Hutchins
// et al., C/C++ Thread Safety Analysis, 2014). For other compilers these are std's mutexes.
//
//   Mutex mutex_;
//   int count_ KOMMANDER_GUARDED_BY(mutex_) = 0;
//   void Add() KOMMANDER_REQUIRES(mutex_);
#pragma once

#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define KOMMANDER_THREAD_ANNOTATION(text) __attribute__((text))
#else
#define KOMMANDER_THREAD_ANNOTATION(text)
#endif
#define KOMMANDER_GUARDED_BY(mutex) KOMMANDER_THREAD_ANNOTATION(guarded_by(mutex))
#define KOMMANDER_REQUIRES(mutex) KOMMANDER_THREAD_ANNOTATION(requires_capability(mutex))

namespace kommander::detail {

class KOMMANDER_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  void Lock() KOMMANDER_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void Unlock() KOMMANDER_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class MutexLock;
  std::mutex mutex_;
};

class KOMMANDER_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) KOMMANDER_THREAD_ANNOTATION(acquire_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~MutexLock() KOMMANDER_THREAD_ANNOTATION(release_capability()) {}
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

  // Before the end of the scope.
  void Unlock() KOMMANDER_THREAD_ANNOTATION(release_capability()) { lock_.unlock(); }
  void Lock() KOMMANDER_THREAD_ANNOTATION(acquire_capability()) { lock_.lock(); }
  // For condition variables, which give it back as they got it.
  [[nodiscard]] std::unique_lock<std::mutex>& native() noexcept { return lock_; }

 private:
  std::unique_lock<std::mutex> lock_;
};

class KOMMANDER_THREAD_ANNOTATION(capability("mutex")) SharedMutex {
 private:
  friend class WriterLock;
  friend class ReaderLock;
  std::shared_mutex mutex_;
};

class KOMMANDER_THREAD_ANNOTATION(scoped_lockable) WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) KOMMANDER_THREAD_ANNOTATION(acquire_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~WriterLock() KOMMANDER_THREAD_ANNOTATION(release_capability()) {}
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  std::unique_lock<std::shared_mutex> lock_;
};

class KOMMANDER_THREAD_ANNOTATION(scoped_lockable) ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex)
      KOMMANDER_THREAD_ANNOTATION(acquire_shared_capability(mutex))
      : lock_(mutex.mutex_) {}
  ~ReaderLock() KOMMANDER_THREAD_ANNOTATION(release_capability()) {}
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  std::shared_lock<std::shared_mutex> lock_;
};

}  // namespace kommander::detail
