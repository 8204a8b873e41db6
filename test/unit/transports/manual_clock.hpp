// A clock that moves when a test says so. Thread-safe, unlike its timers.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include <boost/asio/post.hpp>

#include <kommander/clock.hpp>

namespace kommander::testing {

class ManualClock final : public Clock {
 public:
  [[nodiscard]] Instant Now() const noexcept override {
    const std::lock_guard lock(book_->mutex);
    return book_->now;
  }
  // Moves with the rest.
  [[nodiscard]] std::uint64_t WallMilliseconds() const noexcept override {
    const auto now = Now().time_since_epoch();
    return static_cast<std::uint64_t>(now / std::chrono::milliseconds(1));
  }
  [[nodiscard]] std::unique_ptr<Timer> CreateTimer(boost::asio::any_io_executor executor,
                                                   std::weak_ptr<Sink> sink) override {
    auto entry = std::make_shared<Entry>();
    entry->executor = std::move(executor);
    entry->sink = std::move(sink);
    return std::make_unique<ManualTimer>(book_, std::move(entry));
  }

  // Posts what falls due on the way.
  void Advance(Duration step) {
    const std::lock_guard lock(book_->mutex);
    book_->now += step;
    for (auto& entry : book_->armed) book_->FireIfDue(entry);
    std::erase(book_->armed, nullptr);
  }
  [[nodiscard]] std::size_t armed() const {
    const std::lock_guard lock(book_->mutex);
    return book_->armed.size();
  }

 private:
  struct Entry {
    boost::asio::any_io_executor executor;
    std::weak_ptr<Sink> sink;
    Instant due = kNever;
  };
  struct Book {
    std::mutex mutex;
    Instant now{std::chrono::seconds(1000)};
    std::vector<std::shared_ptr<Entry>> armed;
    void FireIfDue(std::shared_ptr<Entry>& entry) {
      if (entry->due > now) return;
      boost::asio::post(entry->executor, [weak = entry->sink] {
        if (const auto sink = weak.lock()) sink->OnTimer();
      });
      entry.reset();
    }
  };
  class ManualTimer final : public Timer {
   public:
    ManualTimer(std::shared_ptr<Book> book, std::shared_ptr<Entry> entry)
        : book_(std::move(book)), entry_(std::move(entry)) {}
    ~ManualTimer() override { Disarm(); }
    void Arm(Instant when) override {
      const std::lock_guard lock(book_->mutex);
      std::erase(book_->armed, entry_);
      entry_->due = when;
      book_->armed.push_back(entry_);
      book_->FireIfDue(book_->armed.back());
      std::erase(book_->armed, nullptr);
    }
    void Disarm() noexcept override {
      const std::lock_guard lock(book_->mutex);
      std::erase(book_->armed, entry_);
    }

   private:
    const std::shared_ptr<Book> book_;
    const std::shared_ptr<Entry> entry_;
  };
  const std::shared_ptr<Book> book_ = std::make_shared<Book>();
};

}  // namespace kommander::testing
