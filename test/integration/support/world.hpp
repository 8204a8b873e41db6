// The executor that an application gives to the library, with the threads behind it: each of the
// ways in which Asio programs are built.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

namespace kommander::test {

class World {
 public:
  enum class Kind { kOneThread, kFourThreads, kStrand, kThreadPool };
  explicit World(Kind kind);
  // Threads that do not end are a failure that Finish has reported; then they are stopped.
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  [[nodiscard]] static std::string NameOf(Kind kind);
  [[nodiscard]] const boost::asio::any_io_executor& executor() const { return executor_; }
  // Whether the calling code runs where the application's handlers belong.
  [[nodiscard]] bool RunsHere() const { return runs_here_(); }
  // Lets the threads go. Fails the test unless all of them end by themselves, which they do as soon
  // as nothing holds the executor any more.
  void Finish();

 private:
  void RunThreads(int count);

  std::unique_ptr<boost::asio::io_context> context_;
  std::unique_ptr<boost::asio::thread_pool> pool_;
  boost::asio::any_io_executor executor_;
  std::function<bool()> runs_here_;
  std::optional<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> guard_;
  std::vector<std::thread> threads_;
  std::shared_ptr<struct Countdown> running_;
  bool finished_ = false;
};

// A context without threads: the test's own thread drives it, one handler at a time, so a test can
// look, act and stop between any two of them.
class ManualWorld {
 public:
  [[nodiscard]] boost::asio::any_io_executor executor() { return context_.get_executor(); }
  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  // Runs handlers until the condition holds; fails the test when it never does.
  void RunUntil(const char* what, const std::function<bool()>& condition);
  // Runs so many handlers, or fewer when the context runs out of work.
  void RunSome(std::size_t count);
  // Runs what is ready now and whatever that makes ready.
  void RunReady();
  // Runs until nothing holds the executor; fails the test when something keeps holding it.
  void RunOut();

 private:
  boost::asio::io_context context_{1};
};

}  // namespace kommander::test
