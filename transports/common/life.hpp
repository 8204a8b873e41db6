// Knows when the last object of a transport or server that holds the executor is gone. Every such
// object keeps a share of it as its first member, so that it is let go of last.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>

#include <kommander/detail/mutex.hpp>

namespace kommander::transports {

class Life {
 public:
  explicit Life(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  ~Life() {
    for (auto& done : ended_) boost::asio::post(executor_, std::move(done));
  }
  Life(const Life&) = delete;
  Life& operator=(const Life&) = delete;

  // `done` is posted when this ends.
  void OnEnd(std::function<void()> done) {
    const detail::MutexLock lock(mutex_);
    ended_.push_back(std::move(done));
  }

 private:
  boost::asio::any_io_executor executor_;
  detail::Mutex mutex_;
  std::vector<std::function<void()>> ended_ KOMMANDER_GUARDED_BY(mutex_);
};

}  // namespace kommander::transports
