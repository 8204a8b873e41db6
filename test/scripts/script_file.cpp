// Reads a script file, runs it, and compares or rewrites.
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "scripts/script.hpp"

namespace kommander::raft::test {
namespace {

std::vector<std::string> ReadLines(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

void Report(const std::string& where, const std::string& command,
            const std::vector<std::string>& expected, const std::vector<std::string>& actual) {
  std::cerr << where << ": > " << command << "\n";
  for (const std::string& line : expected) std::cerr << "  - " << line << "\n";
  for (const std::string& line : actual) std::cerr << "  + " << line << "\n";
}

}  // namespace

int RunScriptFile(const std::string& path, bool rewrite, int& scenarios) {
  const std::vector<std::string> lines = ReadLines(path);
  std::vector<std::string> rewritten;
  Script script;
  int differing = 0;
  for (std::size_t i = 0; i < lines.size();) {
    const std::string& line = lines[i++];
    rewritten.push_back(line);
    if (line.starts_with("== ")) {
      script = Script();
      ++scenarios;
    }
    if (!line.starts_with("> ")) continue;
    const std::string where = path + ":" + std::to_string(i);
    std::vector<std::string> expected;
    while (i < lines.size() && lines[i].starts_with("  ")) expected.push_back(lines[i++].substr(2));
    std::vector<std::string> actual;
    try {
      actual = script.Execute(line.substr(2));
    } catch (const std::exception& failure) {
      throw std::runtime_error(where + ": > " + line.substr(2) + ": " + failure.what());
    }
    for (const std::string& output : actual) rewritten.push_back("  " + output);
    if (actual == expected) continue;
    ++differing;
    if (!rewrite) Report(where, line.substr(2), expected, actual);
  }
  if (rewrite && differing != 0) {
    std::ofstream file(path);
    for (const std::string& line : rewritten) file << line << "\n";
    if (!file.flush()) throw std::runtime_error("cannot write " + path);
  }
  return differing;
}

}  // namespace kommander::raft::test
