// A trip needs a seat on the flight and a room in the hotel, or neither. Flights and hotels are
// partitions of their own, with leaders of their own, so no single write can take both: each is
// reserved first, by a proposal that waits, and the two tickets are committed once both are there.
#include <array>
#include <chrono>
#include <cstdint>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>

namespace asio = boost::asio;
using namespace kommander;

constexpr PartitionId kFlights{1};
constexpr PartitionId kHotels{2};
constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

// One node. What is booked, per partition, comes from the log alone: only commits are delivered.
class Agency {
 public:
  Agency(asio::io_context& context, NodeId id, const std::vector<NodeAddress>& members,
         MemoryNetwork& network)
      : raft_(context.get_executor(), Configure(id, members), std::make_shared<MemoryWal>(),
              network.CreateTransport(MakeSteadyClock()),
              std::make_shared<StaticDiscovery>(members)) {
    const auto book = [this](const RaftLog& log) {
      booked_[log.partition()].emplace_back(log.payload().text());
    };
    raft_.OnLogRestored(book);
    raft_.OnReplicationReceived(book);
  }
  RaftManager& raft() noexcept { return raft_; }
  const std::vector<std::string>& Booked(PartitionId partition) { return booked_[partition]; }

 private:
  static RaftConfiguration Configure(NodeId id, const std::vector<NodeAddress>& members) {
    const Endpoint here = members[id.value() - 1].endpoint;
    // A reservation that nobody decides is given back after a while, whatever happened to its
    // buyer.
    return RaftConfiguration()
        .Id(id)
        .Listen(here)
        .InitialMembers(members)
        .InitialPartitions(2)
        .ElectionTimeout(std::chrono::milliseconds(500))
        .TicketTimeout(std::chrono::seconds(5));
  }
  std::map<PartitionId, std::vector<std::string>> booked_;
  RaftManager raft_;
};

using Agencies = std::array<std::unique_ptr<Agency>, 3>;

// Asks this node, which hands the question on to whoever leads the partition.
asio::awaitable<std::optional<Ticket>> Reserve(RaftManager& raft, PartitionId partition,
                                               std::string what) {
  const Payload text(what);
  const auto options = ReplicateOptions().Manual().Forward();
  const auto [error, reserved] =
      co_await raft.ReplicateLogs(partition, "reserve", text, options, kAsTuple);
  if (error) co_return std::nullopt;
  co_return reserved.ticket;
}

enum class Outcome { kDone, kOtherWay, kUnknown };

// A decision may be asked for again until it is answered: the first one in the log counts.
asio::awaitable<Outcome> Decide(RaftManager& raft, PartitionId partition, Ticket ticket,
                                bool commits) {
  const auto options = ReplicateOptions().Forward();
  asio::steady_timer pause(co_await asio::this_coro::executor);
  for (int attempt = 0; attempt < 20; ++attempt) {
    error_code error;
    if (commits) {
      error = std::get<0>(co_await raft.CommitLogs(partition, ticket, options, kAsTuple));
    } else {
      error = std::get<0>(co_await raft.RollbackLogs(partition, ticket, options, kAsTuple));
    }
    if (!error) co_return Outcome::kDone;
    if (error == RaftErrc::AlreadySettled) co_return Outcome::kOtherWay;
    pause.expires_after(RetryAfter(error).value_or(std::chrono::milliseconds(100)));
    co_await pause.async_wait(kAsTuple);
  }
  co_return Outcome::kUnknown;
}

// Both, or neither. `rooms_left` false: the hotel refuses, as an application's own rule would.
asio::awaitable<Outcome> BookTrip(RaftManager& raft, std::string traveller, bool rooms_left) {
  const auto seat = co_await Reserve(raft, kFlights, "seat for " + traveller);
  if (!seat) co_return Outcome::kOtherWay;
  std::optional<Ticket> room;
  if (rooms_left) room = co_await Reserve(raft, kHotels, "room for " + traveller);
  if (!room) {
    co_await Decide(raft, kFlights, *seat, false);
    co_return Outcome::kOtherWay;
  }
  // Once the first commit was asked for there is no way back: it may have been done.
  const Outcome has_seat = co_await Decide(raft, kFlights, *seat, true);
  if (has_seat == Outcome::kOtherWay) {  // it was open for too long
    co_await Decide(raft, kHotels, *room, false);
    co_return has_seat;
  }
  const Outcome has_room = co_await Decide(raft, kHotels, *room, true);
  co_return has_room == Outcome::kDone ? has_seat : has_room;
}

asio::awaitable<void> Join(Agency& agency) { co_await agency.raft().JoinCluster(); }

asio::awaitable<void> Run(Agencies& agencies, bool& agreed) {
  RaftManager& raft = agencies[0]->raft();
  co_await raft.WaitForLeader(kFlights);
  co_await raft.WaitForLeader(kHotels);
  const bool ada = co_await BookTrip(raft, "Ada", true) == Outcome::kDone;
  const bool bob = co_await BookTrip(raft, "Bob", false) == Outcome::kDone;
  std::cout << "Ada " << (ada ? "travels" : "stays") << ", Bob " << (bob ? "travels" : "stays")
            << std::endl;

  agreed = ada && !bob;
  const std::vector<std::string> seats{"seat for Ada"};
  const std::vector<std::string> rooms{"room for Ada"};
  for (const auto& agency : agencies) {
    co_await agency->raft().ReadBarrier(kFlights);
    co_await agency->raft().ReadBarrier(kHotels);
    agreed = agreed && agency->Booked(kFlights) == seats && agency->Booked(kHotels) == rooms;
  }
  const auto open = co_await raft.ListOpenTickets(kFlights);
  std::cout << open.size() << " reservations are open" << std::endl;
  agreed = agreed && open.empty();
  for (const auto& agency : agencies) co_await agency->raft().Stop();
}

int main() {
  asio::io_context context;
  const auto network = MemoryNetwork::Create();
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    members.emplace_back(NodeId(id), Endpoint("node", id));
  }
  Agencies agencies;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    agencies[id - 1] = std::make_unique<Agency>(context, NodeId(id), members, *network);
  }

  bool agreed = false;
  std::size_t joined = 0;
  const auto report = [](std::exception_ptr failure) {
    if (failure) std::rethrow_exception(failure);  // out of context.run()
  };
  for (const auto& agency : agencies) {
    asio::co_spawn(context, Join(*agency), [&, report](std::exception_ptr failure) {
      report(failure);
      if (++joined == agencies.size()) asio::co_spawn(context, Run(agencies, agreed), report);
    });
  }
  try {
    context.run();
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << std::endl;
  }
  return agreed ? 0 : 1;
}
