// Nothing ends in silence: every call of a client is answered, once, and by the time that its
// timeout allows.
#pragma once

#include "invariants/invariant.hpp"

namespace kommander::sim {

class NothingInSilence final : public Invariant {
 public:
  std::string_view name() const noexcept override { return "nothing in silence"; }
  void OnEndedAgain(const ClientOperation& operation) override {
    Violate(Name(operation) + " is answered a second time");
  }
  void OnOverdue(const ClientOperation& operation) override {
    Violate(Name(operation) + " is not answered");
  }

 private:
  static std::string Name(const ClientOperation& operation) {
    return Place(operation.node, operation.partition) + ": " +
           std::string(ToString(operation.kind)) + " " + std::to_string(operation.id);
  }
};

}  // namespace kommander::sim
