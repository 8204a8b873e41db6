// An I/O scheduler whose work on files is done when the test says so; it has no log.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include <kommander/io_scheduler.hpp>

namespace kommander::test {

class HeldTasks final : public IoScheduler {
 public:
  error_code Start(std::shared_ptr<Wal>) override { return {}; }
  error_code SubmitWrite(WriteUnit, std::shared_ptr<IoSink>) override { return {}; }
  error_code SubmitRead(ReadRequest, std::shared_ptr<IoSink>) override { return {}; }
  error_code UseFileSets() override { return {}; }
  error_code SubmitTask(PartitionId, std::function<void(Wal&, bool)>) override { return {}; }
  error_code SubmitFileTask(std::function<void(bool)> task) override {
    tasks_.push_back(std::move(task));
    return {};
  }
  bool IsSaturated(PartitionId) const noexcept override { return false; }
  IoStatistics Statistics() const noexcept override { return {}; }
  void Stop(std::function<void()>) override {}
  void Abort() noexcept override {}

  // Does what waits, and what comes of it; whether there was anything.
  bool Run() {
    const bool has_any = !tasks_.empty();
    while (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task(false);
    }
    return has_any;
  }

 private:
  std::deque<std::function<void(bool)>> tasks_;
};

}  // namespace kommander::test
