// script_test [--rewrite] FILE...: runs golden scripts; exits 1 when an output differs.
#include <iostream>
#include <stdexcept>
#include <string>

#include <kommander/assert.hpp>

#include "scripts/script.hpp"

int main(int argc, char** argv) {
  kommander::SetAssertHandler([](const kommander::AssertFailure& failure) {
    throw std::logic_error(std::string(failure.message) + " (" + failure.condition + ")");
  });
  bool rewrite = false;
  int differing = 0;
  int files = 0;
  int scenarios = 0;
  try {
    for (int i = 1; i < argc; ++i) {
      if (std::string(argv[i]) == "--rewrite") {
        rewrite = true;
        continue;
      }
      ++files;
      differing += kommander::raft::test::RunScriptFile(argv[i], rewrite, scenarios);
    }
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
  if (files == 0) {
    std::cerr << "usage: script_test [--rewrite] FILE...\n";
    return 1;
  }
  std::cout << "scripts: files=" << files << " scenarios=" << scenarios
            << (rewrite ? " rewritten=" : " differing=") << differing << "\n";
  return differing != 0 && !rewrite ? 1 : 0;
}
