// Hands answered operations to their callers. Posted, never dispatched: from a strand a dispatch
// would run the caller's code inside it. One burst posts one runner per distinct executor.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <kommander/detail/operation.hpp>

namespace kommander::runtime {

// Used by one strand.
class Completions {
 public:
  void Add(std::shared_ptr<detail::Operation> operation);
  // Posts the runners. Their handlers run later, one at a time; after one that throws the rest is
  // posted again before the exception reaches the executor.
  void Flush();

 private:
  using Group = std::vector<std::shared_ptr<detail::Operation>>;
  std::vector<Group> groups_;
};

// Answers one operation from anywhere, with what it holds.
void PostCompletion(std::shared_ptr<detail::Operation> operation);
void PostCompletion(std::shared_ptr<detail::Operation> operation, error_code error);

}  // namespace kommander::runtime
