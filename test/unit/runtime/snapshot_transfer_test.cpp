// A snapshot's way over a link that loses, repeats and reorders, between nodes that begin anew.
#include <algorithm>
#include <deque>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "catch.hpp"
#include "runtime/snapshot_receiver.hpp"
#include "runtime/snapshot_sender.hpp"

using namespace kommander;
using namespace kommander::runtime;
using namespace std::chrono_literals;

namespace {

constexpr NodeId kLeader{1};
constexpr NodeId kFollower{2};

SnapshotInfo InfoOf(std::uint64_t bytes, std::uint64_t index = 7) {
  SnapshotInfo info;
  info.index = LogIndex(index);
  info.term = Term(3);
  info.bytes = bytes;
  return info;
}

std::string Text(std::uint64_t bytes) {
  std::string text;
  for (std::uint64_t i = 0; i < bytes; ++i) text += static_cast<char>('a' + i % 23);
  return text;
}

// Both ends, the store of the follower, and a link in between under the test's control.
struct Transfer {
  explicit Transfer(std::uint64_t bytes, SnapshotSenderOptions options = Small())
      : text(Text(bytes)), sender(kFollower, InfoOf(bytes), options, now) {}
  static SnapshotSenderOptions Small() {
    SnapshotSenderOptions options;
    options.chunk_bytes = 10;
    options.chunks_ahead = 3;
    options.repeat_after = 100ms;
    options.step_timeout = 5s;
    return options;
  }

  void Send() {
    const SnapshotSender::Step step = sender.Proceed(now);
    if (step.offer) to_follower.emplace_back(SnapshotOffer(sender.info()));
    for (const auto& range : step.ranges) {
      to_follower.emplace_back(SnapshotChunk(sender.info().index, range.offset,
                                             Payload(text.substr(range.offset, range.bytes))));
    }
  }
  void Deliver(const std::variant<SnapshotOffer, SnapshotChunk>& message) {
    if (const auto* offer = std::get_if<SnapshotOffer>(&message)) {
      receiver.OnOffer(kLeader, offer->info, applied, now);
    } else {
      receiver.OnChunk(kLeader, std::get<SnapshotChunk>(message), now);
    }
    Store();
  }
  // The store does at once what it is asked to.
  void Store() {
    for (;;) {
      const SnapshotReceiver::Work work = receiver.TakeWork();
      if (work.kind == SnapshotReceiver::Work::Kind::kNone) break;
      if (work.kind == SnapshotReceiver::Work::Kind::kBegin) stored.clear();
      stored += work.bytes.text();
      receiver.OnWorkDone({}, now);
      if (receiver.IsPublished()) {
        applied = InfoOf(0).index;
        receiver.OnInstalled(is_wanted);
      }
    }
    if (auto answer = receiver.TakeAnswer()) {
      CHECK(answer->to == kLeader);
      to_leader.push_back(answer->reply);
    }
  }
  // Everything is delivered, in order, until nothing moves.
  void Settle() {
    do {
      Send();
      while (!to_follower.empty()) {
        Deliver(to_follower.front());
        to_follower.pop_front();
      }
      while (!to_leader.empty()) {
        sender.OnReply(to_leader.front(), now);
        to_leader.pop_front();
        Send();
      }
    } while (!to_follower.empty());
  }

  Instant now{std::chrono::seconds(100)};
  std::string text;
  SnapshotSender sender;
  SnapshotReceiver receiver{10s};
  std::string stored;
  bool is_wanted = true;  // by the core, once it is whole
  LogIndex applied;
  std::deque<std::variant<SnapshotOffer, SnapshotChunk>> to_follower;
  std::deque<SnapshotReply> to_leader;
};

}  // namespace

TEST_CASE("a snapshot arrives whole, never more than the window ahead of the answers") {
  Transfer transfer(95);
  transfer.Send();
  REQUIRE(transfer.to_follower.size() == 1);  // the offer alone
  transfer.Deliver(transfer.to_follower.front());
  transfer.to_follower.clear();
  transfer.sender.OnReply(transfer.to_leader.front(), transfer.now);
  transfer.to_leader.clear();
  transfer.Send();
  CHECK(transfer.to_follower.size() == 3);
  transfer.Settle();
  CHECK(transfer.sender.end() == true);
  CHECK(transfer.stored == transfer.text);
}

TEST_CASE("who has it already says so") {
  Transfer transfer(95);
  transfer.applied = LogIndex(7);
  transfer.Settle();
  CHECK(transfer.sender.end() == true);
  CHECK(transfer.stored.empty());
}

TEST_CASE("a follower that begins anew is sent everything again") {
  Transfer transfer(95);
  transfer.Send();
  transfer.Deliver(transfer.to_follower.front());
  transfer.to_follower.clear();
  transfer.sender.OnReply(transfer.to_leader.front(), transfer.now);
  transfer.to_leader.clear();
  transfer.Send();
  for (const auto& chunk : transfer.to_follower) transfer.Deliver(chunk);
  transfer.to_follower.clear();
  for (const auto& reply : transfer.to_leader) transfer.sender.OnReply(reply, transfer.now);
  transfer.to_leader.clear();
  CHECK(transfer.sender.acknowledged() == 30);
  transfer.receiver = SnapshotReceiver(10s);
  transfer.stored.clear();
  transfer.now += 200ms;
  transfer.Settle();
  CHECK(transfer.sender.end() == true);
  CHECK(transfer.stored == transfer.text);
}

TEST_CASE("a transfer that gets no further ends, and one that does goes on") {
  SnapshotSenderOptions options = Transfer::Small();
  options.offers_max = 1000;
  Transfer transfer(95, options);
  for (int i = 0; i < 100 && !transfer.sender.end(); ++i) {
    CHECK(transfer.sender.Due() > transfer.now - 1ms);
    transfer.now = std::max(transfer.now, transfer.sender.Due());
    transfer.Send();
  }
  CHECK(transfer.sender.end() == false);
  CHECK(transfer.now - Instant(std::chrono::seconds(100)) == 5s);
  CHECK(transfer.sender.Due() == kNever);

  // Each answer comes after an offer that had to be repeated.
  options.offers_max = 2;
  Transfer slow(95, options);
  slow.Send();
  for (int i = 0; i < 10; ++i) {
    slow.now += 4s;
    slow.Send();
    slow.sender.OnReply(SnapshotReply(LogIndex(7), static_cast<std::uint64_t>(i) + 1,
                                      SnapshotReply::State::kWanted),
                        slow.now);
    slow.Send();
    CHECK_FALSE(slow.sender.end());
  }
}

TEST_CASE("a transfer whose offers nobody answers ends sooner") {
  SnapshotSenderOptions options = Transfer::Small();
  options.offers_max = 3;
  Transfer transfer(95, options);
  for (int i = 0; i < 10 && !transfer.sender.end(); ++i) {
    transfer.now = std::max(transfer.now, transfer.sender.Due());
    transfer.Send();
  }
  CHECK(transfer.sender.end() == false);
  CHECK(transfer.to_follower.size() == 3);
  CHECK(transfer.now - Instant(std::chrono::seconds(100)) == 300ms);
}

TEST_CASE("what the core does not take is refused, and the place is free again") {
  Transfer transfer(95);
  transfer.is_wanted = false;
  transfer.Settle();
  CHECK(transfer.sender.end() == false);
  CHECK_FALSE(transfer.receiver.info());
}

TEST_CASE("a limit of bytes per second spreads a transfer out") {
  SnapshotSenderOptions options = Transfer::Small();
  options.bytes_per_second = 100;
  Transfer transfer(95, options);
  Instant last = transfer.now;
  while (!transfer.sender.end()) {
    transfer.Settle();
    last = transfer.now;
    transfer.now =
        std::max(transfer.now + 1ms, std::min(transfer.sender.Due(), transfer.now + 50ms));
  }
  CHECK(transfer.sender.end() == true);
  CHECK(last - Instant(std::chrono::seconds(100)) >= 800ms);
  CHECK(transfer.stored == transfer.text);
}

TEST_CASE("a limit of bytes per second that spaces chunks far apart ends no transfer") {
  SnapshotSenderOptions options = Transfer::Small();
  options.bytes_per_second = 1;  // ten seconds for a chunk
  options.step_timeout = 5s;
  Transfer transfer(95, options);
  for (int i = 0; i < 10'000 && !transfer.sender.end(); ++i) {
    transfer.Settle();
    transfer.receiver.OnTime(transfer.now);
    transfer.now =
        std::max(transfer.now + 1ms, std::min(transfer.sender.Due(), transfer.now + 500ms));
  }
  CHECK(transfer.sender.end() == true);
  CHECK(transfer.stored == transfer.text);
  CHECK(transfer.sender.has_advanced());
}

TEST_CASE("what is wrong for the receiver changes nothing") {
  Transfer transfer(95);
  const auto chunk = [&](std::uint64_t index, std::uint64_t offset, std::size_t bytes) {
    transfer.receiver.OnChunk(
        kLeader, SnapshotChunk(LogIndex(index), offset, Payload(std::string(bytes, 'x'))),
        transfer.now);
    transfer.Store();
  };
  chunk(7, 0, 10);  // never offered
  transfer.Deliver(SnapshotOffer(InfoOf(95)));
  chunk(8, 0, 10);   // of another snapshot
  chunk(7, 10, 10);  // not the next bytes
  chunk(7, 0, 96);   // more than there are
  chunk(7, 0, 0);    // none
  transfer.receiver.OnChunk(NodeId(9), SnapshotChunk(LogIndex(7), 0, "y"), transfer.now);
  transfer.Store();
  CHECK(transfer.stored.empty());
  transfer.to_leader.clear();
  transfer.Settle();
  CHECK(transfer.stored == transfer.text);
}

TEST_CASE("a store that fails refuses the snapshot, and the next offer begins anew") {
  Transfer transfer(95);
  transfer.receiver.OnOffer(kLeader, InfoOf(95), LogIndex(), transfer.now);
  CHECK(transfer.receiver.TakeWork().kind == SnapshotReceiver::Work::Kind::kBegin);
  // Another offer while the store works is refused.
  transfer.receiver.OnOffer(kLeader, InfoOf(10, 9), LogIndex(), transfer.now);
  CHECK(transfer.receiver.TakeAnswer()->reply.state == SnapshotReply::State::kRefused);
  transfer.receiver.OnWorkDone(RaftErrc::SnapshotFailed, transfer.now);
  CHECK(transfer.receiver.TakeAnswer()->reply.state == SnapshotReply::State::kRefused);
  CHECK_FALSE(transfer.receiver.info());
  transfer.Settle();
  CHECK(transfer.stored == transfer.text);
}

TEST_CASE("a draft that nobody goes on with is given up") {
  Transfer transfer(95);
  transfer.Deliver(SnapshotOffer(InfoOf(95)));
  CHECK(transfer.receiver.Due() == transfer.now + 10s);
  transfer.receiver.OnTime(transfer.now + 9s);
  CHECK(transfer.receiver.info());
  transfer.receiver.OnTime(transfer.now + 10s);
  CHECK_FALSE(transfer.receiver.info());
  CHECK(transfer.receiver.Due() == kNever);
  // The store has it still, until it is told, once; who offers meanwhile has to wait.
  CHECK(transfer.receiver.TakeWork().kind == SnapshotReceiver::Work::Kind::kDiscard);
  CHECK(transfer.receiver.IsBusy());
  transfer.receiver.OnOffer(kLeader, InfoOf(95), LogIndex(), transfer.now);
  CHECK_FALSE(transfer.receiver.info());
  transfer.receiver.OnWorkDone({}, transfer.now);
  CHECK(transfer.receiver.TakeWork().kind == SnapshotReceiver::Work::Kind::kNone);
  transfer.Settle();
  CHECK(transfer.stored == transfer.text);
}

TEST_CASE("a draft that is given up needs no word of its own where another one begins") {
  Transfer transfer(95);
  transfer.Deliver(SnapshotOffer(InfoOf(95)));
  transfer.receiver.OnTime(transfer.now + 10s);
  transfer.receiver.OnOffer(kLeader, InfoOf(95), LogIndex(), transfer.now);
  CHECK(transfer.receiver.TakeWork().kind == SnapshotReceiver::Work::Kind::kBegin);
  transfer.receiver.OnWorkDone({}, transfer.now);
  CHECK(transfer.receiver.TakeWork().kind == SnapshotReceiver::Work::Kind::kNone);
}

TEST_CASE("whatever the link does, what arrives is the snapshot") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const auto chance = [&](std::uint64_t one_in) { return random() % one_in == 0; };
    Transfer transfer(1 + random() % 300);
    for (int step = 0; step < 3000 && !transfer.sender.end(); ++step) {
      transfer.now += std::chrono::milliseconds(random() % 40);
      transfer.Send();
      if (!transfer.to_follower.empty()) {
        const std::size_t place = chance(4) ? random() % transfer.to_follower.size() : 0;
        const auto message = transfer.to_follower[place];
        if (!chance(5)) {
          transfer.to_follower.erase(transfer.to_follower.begin() +
                                     static_cast<std::ptrdiff_t>(place));
        }
        if (!chance(6)) transfer.Deliver(message);
      }
      if (!transfer.to_leader.empty()) {
        const SnapshotReply reply = transfer.to_leader.front();
        if (!chance(5)) transfer.to_leader.pop_front();
        if (!chance(6)) transfer.sender.OnReply(reply, transfer.now);
      }
      if (chance(400) && !transfer.applied) {
        transfer.receiver = SnapshotReceiver(10s);
        transfer.stored.clear();
      }
    }
    REQUIRE(transfer.sender.end() == true);
    REQUIRE(transfer.stored == transfer.text);
  }
}
