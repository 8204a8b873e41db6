// Histories and logs as files: one JSON object per line, written by whoever drives the clients.
//
//   {"client":1,"key":"a","kind":"write","value":"x","call_ns":1,"return_ns":2,"outcome":"ok"}
//   kind      read | write | delete | cas; cas has "expect" too
//   value     a string, an integer, or null for "does not exist"; so are expect and a result
//   return_ns null unless the outcome is ok; then also allowed, and ignored
//   outcome   ok | fail (promised to have had no effect) | unknown
//   result    of what is ok: a read's value; for a delete whether there was something; for a cas
//             true, false, or {"current":value} when it did not swap. Left out: not told
//
//   {"partition":1,"data":"x","call_ns":1,"return_ns":2,"outcome":"ok","index":7}
//   {"node":1,"partition":1,"log":[[7,2,"x"],...]}   all that the node has: index, term, data
#pragma once

#include <cstdint>
#include <istream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "append_log.hpp"
#include "register_history.hpp"

namespace kommander::checkers {

// The line and what is wrong with it.
class MalformedRecord : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Texts by number, in the order of their first appearance, from 1 on.
class Names {
 public:
  std::uint64_t Number(std::string_view text);
  [[nodiscard]] const std::string& Text(std::uint64_t number) const { return texts_[number - 1]; }

 private:
  std::unordered_map<std::string, std::uint64_t> numbers_;
  std::vector<std::string> texts_;
};

struct Records {
  std::vector<RegisterOperation> operations;
  std::vector<Append> appends;
  std::vector<AppliedLog> logs;
  Names keys;
  Names values;

  // Adds every line of the stream, whichever kind it is. `name` is for what it throws:
  // MalformedRecord.
  void Read(std::istream& stream, const std::string& name);
};

}  // namespace kommander::checkers
