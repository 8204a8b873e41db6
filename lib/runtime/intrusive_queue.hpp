// A FIFO through a `next` member of its nodes: joining and splitting cost no allocation, so work
// can be moved between the I/O scheduler's lists while its lock is held.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

namespace kommander::runtime {

// Refers to its nodes and owns none.
template <class Node>
class IntrusiveList {
 public:
  IntrusiveList() = default;
  IntrusiveList(IntrusiveList&& other) noexcept
      : head_(std::exchange(other.head_, nullptr)),
        tail_(std::exchange(other.tail_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  IntrusiveList& operator=(IntrusiveList&& other) noexcept {
    head_ = std::exchange(other.head_, nullptr);
    tail_ = std::exchange(other.tail_, nullptr);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Node* front() const noexcept { return head_; }
  [[nodiscard]] Node* back() const noexcept { return tail_; }

  void PushBack(Node* node) noexcept {
    node->next = nullptr;
    if (tail_ == nullptr) {
      head_ = node;
    } else {
      tail_->next = node;
    }
    tail_ = node;
    ++size_;
  }

  // Not on an empty list.
  Node* PopFront() noexcept {
    Node* const node = head_;
    head_ = std::exchange(node->next, nullptr);
    if (head_ == nullptr) tail_ = nullptr;
    --size_;
    return node;
  }

  // Moves everything of `other` behind what is here.
  void Append(IntrusiveList&& other) noexcept {
    if (other.empty()) return;
    if (tail_ == nullptr) {
      head_ = other.head_;
    } else {
      tail_->next = other.head_;
    }
    tail_ = other.tail_;
    size_ += other.size_;
    other.head_ = other.tail_ = nullptr;
    other.size_ = 0;
  }

 private:
  Node* head_ = nullptr;
  Node* tail_ = nullptr;
  std::size_t size_ = 0;
};

// Owns its nodes.
template <class Node>
class OwningQueue {
 public:
  OwningQueue() = default;
  OwningQueue(OwningQueue&&) noexcept = default;
  OwningQueue& operator=(OwningQueue&& other) noexcept {
    Clear();
    list_ = std::move(other.list_);
    return *this;
  }
  ~OwningQueue() { Clear(); }

  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  [[nodiscard]] std::size_t size() const noexcept { return list_.size(); }
  [[nodiscard]] Node* front() const noexcept { return list_.front(); }
  [[nodiscard]] Node* back() const noexcept { return list_.back(); }

  void PushBack(std::unique_ptr<Node> node) noexcept { list_.PushBack(node.release()); }
  [[nodiscard]] std::unique_ptr<Node> PopFront() noexcept {
    return std::unique_ptr<Node>(list_.PopFront());
  }
  void Append(OwningQueue&& other) noexcept { list_.Append(std::move(other.list_)); }
  void Clear() noexcept {
    while (!list_.empty()) delete list_.PopFront();
  }

 private:
  IntrusiveList<Node> list_;
};

}  // namespace kommander::runtime
