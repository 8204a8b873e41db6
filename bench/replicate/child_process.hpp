// A child of this program that takes one command a line from its standard input and answers each
// with one line on its standard output.
#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

namespace kommander::bench {

class ChildProcess {
 public:
  // Runs this very program with other arguments.
  explicit ChildProcess(std::vector<std::string> arguments);
  // Closes the child's input, which ends it; kills it when it does not end by itself.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  void Send(const std::string& command);
  // The next answer without its "ok ". Throws on any other answer, on silence and on its end.
  [[nodiscard]] std::string Receive(std::chrono::milliseconds timeout);

 private:
  bool AwaitEnd() noexcept;

  pid_t pid_ = -1;
  int input_ = -1;   // we write
  int output_ = -1;  // we read
  std::string received_;
};

}  // namespace kommander::bench
