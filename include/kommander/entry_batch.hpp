// Payloads of both kinds in one call: some that are committed at once, then some that wait for a
// decision.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include <kommander/batch.hpp>
#include <kommander/payload.hpp>

namespace kommander {

// EntryBatch().Add("Order", bytes).AddManual("Reservation", bytes). The payloads of Add become one
// entry, those of AddManual a second one right after it, with a ticket of their own for CommitLogs
// or RollbackLogs. A payload added after a manual one cannot be committed before it: such a batch
// is refused (InvalidArgument), and nothing of it is appended.
class EntryBatch {
 public:
  EntryBatch() = default;
  EntryBatch& Add(std::string type, Payload payload) & {
    is_ordered_ = is_ordered_ && manual_.empty();
    committed_.Add(std::move(type), std::move(payload));
    return *this;
  }
  EntryBatch&& Add(std::string type, Payload payload) && {
    return std::move(Add(std::move(type), std::move(payload)));
  }
  EntryBatch& AddManual(std::string type, Payload payload) & {
    manual_.Add(std::move(type), std::move(payload));
    return *this;
  }
  EntryBatch&& AddManual(std::string type, Payload payload) && {
    return std::move(AddManual(std::move(type), std::move(payload)));
  }
  [[nodiscard]] const Batch& committed() const noexcept { return committed_; }
  [[nodiscard]] const Batch& manual() const noexcept { return manual_; }
  [[nodiscard]] bool is_ordered() const noexcept { return is_ordered_; }
  [[nodiscard]] std::size_t size() const noexcept {
    return committed_.items().size() + manual_.items().size();
  }

 private:
  Batch committed_;
  Batch manual_;
  bool is_ordered_ = true;
};

}  // namespace kommander
