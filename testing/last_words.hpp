// What is said when a seed ends the process, by a broken assertion or a signal: nobody is left to
// report it then.
#pragma once

#include <string>

namespace kommander::testing {

// While it lives, the signals of broken programs and the library's assertions say the words first
// and then do what they would have done anyway.
class LastWords {
 public:
  LastWords();
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

  // From now on; said once, to the standard error.
  void Are(std::string words);

 private:
  std::string words_;
  const char* before_;  // of one that lives longer
};

}  // namespace kommander::testing
