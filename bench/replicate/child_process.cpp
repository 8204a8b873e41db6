#include "child_process.hpp"

#include <array>
#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdexcept>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace kommander::bench {
namespace {

constexpr auto kEndTimeout = std::chrono::seconds(10);

[[noreturn]] void Fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

ChildProcess::ChildProcess(std::vector<std::string> arguments) {
  std::array<int, 2> to_child{};
  std::array<int, 2> from_child{};
  if (pipe2(to_child.data(), O_CLOEXEC) != 0) Fail("pipe");
  if (pipe2(from_child.data(), O_CLOEXEC) != 0) Fail("pipe");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) Fail("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // however the parent ends, the child ends
    if (getppid() != parent) _exit(1);
    dup2(to_child[0], STDIN_FILENO);
    dup2(from_child[1], STDOUT_FILENO);
    execv("/proc/self/exe", argv.data());
    _exit(127);
  }
  close(to_child[0]);
  close(from_child[1]);
  input_ = to_child[1];
  output_ = from_child[0];
}

ChildProcess::~ChildProcess() {
  close(input_);
  if (!AwaitEnd()) kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  close(output_);
}

// Whether the child has closed its output, as it does when it ends, in time.
bool ChildProcess::AwaitEnd() noexcept {
  const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd readable{output_, POLLIN, 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) == 0) return false;
    std::array<char, 65536> buffer;
    if (read(output_, buffer.data(), buffer.size()) <= 0) return true;
  }
}

void ChildProcess::Send(const std::string& command) {
  const std::string line = command + '\n';
  if (write(input_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
    Fail("a node has ended");
  }
}

std::string ChildProcess::Receive(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  std::size_t end = 0;
  while ((end = received_.find('\n')) == std::string::npos) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd readable{output_, POLLIN, 0};
    if (left.count() <= 0 || poll(&readable, 1, static_cast<int>(left.count())) == 0) {
      throw std::runtime_error("a node does not answer");
    }
    std::array<char, 65536> buffer;
    const ssize_t count = read(output_, buffer.data(), buffer.size());
    if (count <= 0) throw std::runtime_error("a node has ended");
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  std::string line = received_.substr(0, end);
  received_.erase(0, end + 1);
  if (line.rfind("ok ", 0) != 0) throw std::runtime_error("a node failed: " + line);
  return line.substr(3);
}

}  // namespace kommander::bench
