// Several payloads that are committed together or not at all: one log entry (docs/protocol.md).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <kommander/payload.hpp>

namespace kommander {

// Batch().Add("Greeting", "hello").Add("Farewell", bytes). Order is kept: it is the order of
// delivery.
class Batch {
 public:
  // One payload and its type, as they will be delivered.
  struct Item {
    Item(std::string item_type, Payload item_payload)
        : type(std::move(item_type)), payload(std::move(item_payload)) {}
    std::string type;
    Payload payload;
  };

  Batch() = default;
  Batch& Add(std::string type, Payload payload) & {
    items_.emplace_back(std::move(type), std::move(payload));
    return *this;
  }
  Batch&& Add(std::string type, Payload payload) && {
    items_.emplace_back(std::move(type), std::move(payload));
    return std::move(*this);
  }
  [[nodiscard]] const std::vector<Item>& items() const noexcept { return items_; }
  [[nodiscard]] bool empty() const noexcept { return items_.empty(); }

 private:
  std::vector<Item> items_;
};

}  // namespace kommander
