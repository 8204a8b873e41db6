// A resolver whose answers are the test's.
#pragma once

#include <deque>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "common/names.hpp"

namespace kommander::testing {

namespace asio = boost::asio;

// Answers as the test says, or not before it says so. Thread-safe.
class ScriptedNames final : public transports::Names {
 public:
  // From now on, for every question.
  void Answer(std::vector<std::string> texts) {
    const std::lock_guard lock(mutex_);
    answer_.clear();
    for (const auto& text : texts) answer_.push_back(asio::ip::make_address(text));
  }
  void Hold() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
  }
  // Answers what was held; later questions are answered at once.
  void Release() {
    const std::lock_guard lock(mutex_);
    holds_ = false;
    for (auto& question : held_) Reply(question);
    held_.clear();
  }
  std::vector<std::string> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }

  void Find(transports::Strand strand, std::string host,
            transports::Names::Answer answer) override {
    const std::lock_guard lock(mutex_);
    asked_.push_back(std::move(host));
    Question question{std::move(strand), std::move(answer)};
    if (holds_) {
      held_.push_back(std::move(question));
    } else {
      Reply(question);
    }
  }

 private:
  struct Question {
    transports::Strand strand;
    transports::Names::Answer answer;
  };
  void Reply(Question& question) {
    asio::post(question.strand, [answer = std::move(question.answer), addresses = answer_] {
      answer({}, addresses);
    });
  }
  mutable std::mutex mutex_;
  Addresses answer_;
  bool holds_ = false;
  std::deque<Question> held_;
  std::vector<std::string> asked_;
};

}  // namespace kommander::testing
