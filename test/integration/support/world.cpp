#include "support/world.hpp"

#include <condition_variable>
#include <mutex>

#include "catch.hpp"
#include "support/patience.hpp"

namespace kommander::test {
namespace asio = boost::asio;

// Threads that have not ended yet.
struct Countdown {
  std::mutex mutex;
  std::condition_variable changed;
  int left = 0;
  void Down() {
    const std::lock_guard lock(mutex);
    --left;
    changed.notify_all();
  }
};

World::World(Kind kind) : running_(std::make_shared<Countdown>()) {
  if (kind == Kind::kThreadPool) {
    pool_ = std::make_unique<asio::thread_pool>(3);
    executor_ = pool_->get_executor();
    runs_here_ = [executor = pool_->get_executor()] { return executor.running_in_this_thread(); };
    return;
  }
  const int threads = kind == Kind::kOneThread ? 1 : 4;
  context_ = std::make_unique<asio::io_context>(threads);
  guard_.emplace(asio::make_work_guard(*context_));
  if (kind == Kind::kStrand) {
    const auto strand = asio::make_strand(context_->get_executor());
    executor_ = strand;
    runs_here_ = [strand] { return strand.running_in_this_thread(); };
  } else {
    executor_ = context_->get_executor();
    runs_here_ = [executor = context_->get_executor()] {
      return executor.running_in_this_thread();
    };
  }
  RunThreads(threads);
}

void World::RunThreads(int count) {
  running_->left = count;
  for (int i = 0; i < count; ++i) {
    threads_.emplace_back([context = context_.get(), running = running_] {
      context->run();
      running->Down();
    });
  }
}

World::~World() {
  // Only after a failure is anything left to be stopped.
  if (!finished_) {
    guard_.reset();
    if (context_) context_->stop();
    if (pool_) pool_->stop();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  if (pool_) pool_->join();
}

std::string World::NameOf(Kind kind) {
  switch (kind) {
    case Kind::kOneThread: return "an io_context with one thread";
    case Kind::kFourThreads: return "an io_context with four threads";
    case Kind::kStrand: return "a strand";
    case Kind::kThreadPool: return "a thread_pool";
  }
  return "nowhere";
}

void World::Finish() {
  if (pool_) {
    // join() gives the pool's own work up and returns when nothing of others is left.
    running_->left = 1;
    threads_.emplace_back([pool = pool_.get(), running = running_] {
      pool->join();
      running->Down();
    });
  }
  guard_.reset();
  std::unique_lock lock(running_->mutex);
  const bool ended =
      running_->changed.wait_for(lock, kPatience, [this] { return running_->left == 0; });
  lock.unlock();
  if (!ended) FAIL("something keeps holding the executor");
  finished_ = true;
  executor_ = {};
  for (std::thread& thread : threads_) thread.join();
}

void ManualWorld::RunUntil(const char* what, const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  context_.restart();
  while (!condition()) {
    context_.run_one_until(deadline);
    if (std::chrono::steady_clock::now() >= deadline) FAIL("never came: " << what);
    // The context may have nothing to do while another thread is about to give it something.
    if (context_.stopped()) context_.restart();
  }
}

void ManualWorld::RunSome(std::size_t count) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  context_.restart();
  for (std::size_t i = 0; i < count; ++i) {
    if (context_.run_one_until(deadline) == 0) return;
  }
}

void ManualWorld::RunReady() {
  context_.restart();
  context_.poll();
}

void ManualWorld::RunOut() {
  context_.restart();
  context_.run_for(kPatience);
  if (!context_.stopped()) FAIL("something keeps holding the executor");
}

}  // namespace kommander::test
