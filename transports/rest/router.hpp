// What a server hands requests to: the node's routes, those of a transport, or both.
#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include <kommander/raft_routes.hpp>

namespace kommander::rest {

// Thread-safe.
class Router {
 public:
  using Done = std::function<void(RestAnswer)>;

  virtual ~Router() = default;
  [[nodiscard]] virtual bool Owns(std::string_view target) const noexcept = 0;
  // Before the body has come.
  [[nodiscard]] virtual std::size_t BodyBytesMax(const RestRequest& request) const noexcept = 0;
  // Calls `done` once, here or later, on any thread.
  virtual void Handle(RestRequest request, Done done) = 0;
};

}  // namespace kommander::rest
