#include "last_words.hpp"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <signal.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <kommander/assert.hpp>

namespace kommander::testing {
namespace {

constexpr int kSignals[] = {SIGABRT, SIGSEGV, SIGFPE, SIGBUS, SIGILL};
constexpr std::size_t kStackBytes = 64 << 10;

std::atomic<const char*> words{nullptr};
std::size_t depth = 0;  // of runs within runs
struct sigaction actions_before[std::size(kSignals)];
std::atomic<AssertHandler> assert_handler_before{nullptr};
stack_t stack_before{};
std::vector<std::byte> stack;  // for who has used up its own

// Calls nothing that a handler of signals may not.
void Speak() noexcept {
  const char* text = words.exchange(nullptr);
  if (text == nullptr) return;
  for (std::size_t left = std::strlen(text); left > 0;) {
    const ssize_t count = ::write(STDERR_FILENO, text, left);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text += count;
    left -= static_cast<std::size_t>(count);
  }
}

void OnSignal(int number, siginfo_t* info, void*) {
  const int error = errno;
  Speak();
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    if (kSignals[i] == number) ::sigaction(number, &actions_before[i], nullptr);
  }
  // An instruction that faults does so again once this has returned; what was sent would not come
  // again by itself.
  if (info->si_code <= 0) ::raise(number);
  errno = error;
}

void OnAssert(const AssertFailure& failure) {
  Speak();
  if (const AssertHandler before = assert_handler_before.load()) before(failure);
}

void Install() {
  ::sigaltstack(nullptr, &stack_before);
  if ((stack_before.ss_flags & SS_DISABLE) != 0) {
    stack.resize(kStackBytes);
    stack_t own{};
    own.ss_sp = stack.data();
    own.ss_size = stack.size();
    ::sigaltstack(&own, nullptr);
  }
  struct sigaction action {};
  action.sa_sigaction = &OnSignal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], &action, &actions_before[i]);
  }
  assert_handler_before = SetAssertHandler(&OnAssert);
}

void Uninstall() {
  SetAssertHandler(assert_handler_before.load());
  for (std::size_t i = 0; i < std::size(kSignals); ++i) {
    ::sigaction(kSignals[i], &actions_before[i], nullptr);
  }
  if (stack.empty()) return;
  ::sigaltstack(&stack_before, nullptr);
  stack = {};
}

}  // namespace

LastWords::LastWords() : before_(words.exchange(nullptr)) {
  if (depth++ == 0) Install();
}

LastWords::~LastWords() {
  words = before_;
  if (--depth == 0) Uninstall();
}

void LastWords::Are(std::string text) {
  words = nullptr;
  words_ = std::move(text);
  words = words_.c_str();
}

}  // namespace kommander::testing
