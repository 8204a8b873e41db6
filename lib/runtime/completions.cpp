#include "runtime/completions.hpp"

#include <utility>

#include <boost/asio/post.hpp>

namespace kommander::runtime {
namespace {

using Group = std::vector<std::shared_ptr<detail::Operation>>;

// Executors beyond this many are not searched for a match: a group more is correct, only dearer.
constexpr std::size_t kGroupsSearched = 8;

// A posted function that works a list off, and posts itself again when a handler throws.
struct Runner {
  std::shared_ptr<Group> group;
  std::size_t next = 0;

  void operator()() {
    struct Repost {
      Runner& runner;
      boost::asio::any_io_executor executor;
      ~Repost() {
        if (runner.next < runner.group->size()) {
          boost::asio::post(executor, Runner{std::move(runner.group), runner.next});
        }
      }
    };
    Repost repost{*this, group->front() ? group->front()->executor() : (*group)[next]->executor()};
    while (next < group->size()) {
      const auto operation = std::move((*group)[next]);
      ++next;
      operation->Invoke();
    }
  }
};

void Post(Group group) {
  const boost::asio::any_io_executor executor = group.front()->executor();
  boost::asio::post(executor, Runner{std::make_shared<Group>(std::move(group)), 0});
}

}  // namespace

void Completions::Add(std::shared_ptr<detail::Operation> operation) {
  const std::size_t from = groups_.size() > kGroupsSearched ? groups_.size() - kGroupsSearched : 0;
  for (std::size_t i = groups_.size(); i-- > from;) {
    if (groups_[i].front()->executor() == operation->executor()) {
      groups_[i].push_back(std::move(operation));
      return;
    }
  }
  groups_.emplace_back().push_back(std::move(operation));
}

void Completions::Flush() {
  for (Group& group : groups_) Post(std::move(group));
  groups_.clear();
}

void PostCompletion(std::shared_ptr<detail::Operation> operation) {
  const boost::asio::any_io_executor executor = operation->executor();
  boost::asio::post(executor, [operation = std::move(operation)] { operation->Invoke(); });
}

void PostCompletion(std::shared_ptr<detail::Operation> operation, error_code error) {
  operation->error = error;
  PostCompletion(std::move(operation));
}

}  // namespace kommander::runtime
