// Calls and their answers.
#include "host.hpp"

#include <utility>

#include <boost/asio/async_result.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

namespace kommander::testing {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// One way between a client and a node: mostly quick, so that a call meets the state that the client
// expects, and sometimes not.
Duration DrawDelay(Random& random) {
  return random.OneIn(10) ? random.Between(0ms, 200ms) : random.Between(0us, 2ms);
}

std::string TextOf(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& problem) {
    return problem.what();
  } catch (...) {
    return "an exception of an unknown type";
  }
}

}  // namespace

template <class CompletionHandler>
class Host::WaiterOf final : public Waiter {
 public:
  explicit WaiterOf(CompletionHandler handler) : handler_(std::move(handler)) {}
  void Resume(Answer answer) override { std::move(handler_)(answer); }

 private:
  CompletionHandler handler_;
};

Host::Host(std::unique_ptr<detail::ScenarioBase> scenario, std::uint32_t clients)
    : scenario_(std::move(scenario)), clients_(clients) {
  scenario_->Attach(*this);
}
Host::~Host() = default;

void Host::Enter(sim::World& world, sim::Checker& checker,
                 const std::vector<std::unique_ptr<sim::SimNode>>& nodes,
                 const sim::ClusterOptions& cluster) {
  world_ = &world;
  checker_ = &checker;
  nodes_ = &nodes;
  partitions_ = cluster.partitions;
  random_ = world.Fork(0x686f73);
  process_ = std::make_unique<sim::Process>(world, "guest's clients");
}

void Host::Leave() {
  // Coroutines that wait are dropped while everything that they know is there.
  std::exchange(pending_, {}).clear();
  process_.reset();
}

std::shared_ptr<void> Host::Begin(sim::SimNode& node, std::uint64_t seed) {
  return scenario_->Make(Node(*node.raft(), node.shared_clock(), Random(seed).Fork(0x617070)));
}

void Host::BeginLoad() {
  is_load_wanted_ = true;
  for (std::uint32_t number = 0; number < clients_; ++number) {
    auto state = std::make_shared<detail::ClientState>(*this, number, random_.Fork(number));
    ++running_clients_;
    asio::co_spawn(process_->get_executor(), scenario_->StartClient(std::move(state)),
                   [this, number](std::exception_ptr failure) {
                     --running_clients_;
                     if (!failure) return;
                     Report("clients do not throw",
                            "client " + std::to_string(number) + ": " + TextOf(failure));
                   });
  }
}

sim::SimNode* Host::Find(NodeId node) const noexcept {
  for (const auto& each : *nodes_) {
    if (each->id() == node) return each.get();
  }
  return nullptr;
}

NodeId Host::LeaderOf(PartitionId partition) const noexcept {
  // Which one is asked first says who is found when several believe to lead.
  const std::size_t count = nodes_->size();
  const std::size_t first = last_call_ % count;
  for (std::size_t i = 0; i < count; ++i) {
    const sim::SimNode& node = *(*nodes_)[(first + i) % count];
    if (node.IsUp() && node.raft()->AmILeaderQuick(partition)) return node.id();
  }
  return {};
}

void Host::Report(std::string invariant, std::string what) {
  checker_->Report(invariant, std::move(what));
}

asio::awaitable<void> Host::Sleep(Duration duration) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
      [this](auto handler, Duration length) {
        world_->PushAt(process_->record(), world_->Now() + length,
                       [handler = std::move(handler)]() mutable { std::move(handler)(); });
      },
      asio::use_awaitable, duration);
}

asio::awaitable<Host::Answer> Host::Call(NodeId node, Body body, Duration timeout) {
  return asio::async_initiate<const asio::use_awaitable_t<>&, void(Answer)>(
      [this](auto handler, NodeId to, Body what, Duration allowed) {
        Pending pending;
        pending.waiter = std::make_unique<WaiterOf<decltype(handler)>>(std::move(handler));
        pending.body = std::move(what);
        pending.node = to;
        Send(std::move(pending), allowed);
      },
      asio::use_awaitable, node, std::move(body), timeout);
}

void Host::Send(Pending pending, Duration timeout) {
  const std::uint64_t call = ++last_call_;
  world_->trace().Event(world_->Now(), "call", call, pending.node.value());
  pending_.emplace(call, std::move(pending));
  world_->PushAt(process_->record(), world_->Now() + DrawDelay(random_),
                 [this, call] { Arrive(call); });
  world_->PushAt(process_->record(), world_->Now() + timeout,
                 [this, call] { End(call, RaftErrc::OutcomeUnknown); });
}

void Host::Arrive(std::uint64_t call) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) return;  // it took too long
  sim::SimNode* node = Find(found->second.node);
  if (node == nullptr || !node->IsUp()) return SendAnswer(call, RaftErrc::NodeIsNotReady);
  found->second.process = node->process();
  // A node that is paused gets to it later.
  asio::co_spawn(node->raft()->get_executor(), found->second.body(node->application()),
                 [this, call](std::exception_ptr failure) { SendAnswer(call, CodeOf(failure)); });
}

error_code Host::CodeOf(const std::exception_ptr& failure) {
  if (!failure) return {};
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& problem) {
    return problem.code();
  } catch (...) {
    Report("calls do not throw", TextOf(failure));
    return RaftErrc::OutcomeUnknown;
  }
}

void Host::SendAnswer(std::uint64_t call, error_code error) {
  if (!process_) return;
  world_->PushAt(process_->record(), world_->Now() + DrawDelay(random_),
                 [this, call, error] { End(call, error); });
}

void Host::End(std::uint64_t call, error_code error) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) return;  // answered, or given up
  world_->trace().Event(world_->Now(), "answer", call, static_cast<std::uint64_t>(error.value()));
  const std::unique_ptr<Waiter> waiter = std::move(found->second.waiter);
  pending_.erase(found);
  waiter->Resume(Answer{error});
}

void Host::ProcessEnded(const sim::ProcessRecord& process) {
  for (const auto& [call, pending] : pending_) {
    if (pending.process == &process) SendAnswer(call, RaftErrc::OutcomeUnknown);
  }
}

}  // namespace kommander::testing
