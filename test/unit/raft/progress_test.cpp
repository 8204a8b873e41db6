// One peer's progress: the three states, a window in bytes and messages, and a plain model of both
// ends under random answers, old ones and wrong ones included.
#include "raft/progress.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "catch.hpp"
#include "raft/random.hpp"

using namespace std::chrono_literals;
using namespace kommander;
using namespace kommander::raft;

namespace {

constexpr Duration kPatience = 10ms;

Progress::Moment At(std::uint64_t round, Duration time = {}) { return {round, Instant(time)}; }

Progress Replicating(std::uint64_t match) {
  Progress progress(LogIndex(match + 1), At(0));
  progress.Sent(LogIndex(match), 0, At(0));
  progress.Accepted(LogIndex(match), At(0));
  REQUIRE(progress.state() == Progress::State::kReplicate);
  return progress;
}

}  // namespace

TEST_CASE("a probe is one message at a time, until the peer accepts one") {
  Progress progress(LogIndex(11), At(0));
  const Progress::Window window{1000, 10};
  REQUIRE(progress.MaySend(window));
  progress.Sent(LogIndex(15), 100, At(0));
  REQUIRE_FALSE(progress.MaySend(window));
  REQUIRE(progress.next() == LogIndex(11));
  REQUIRE(progress.Rejected(LogIndex(10), LogIndex(6), At(0)));
  REQUIRE(progress.next() == LogIndex(7));
  REQUIRE(progress.MaySend(window));
  progress.Sent(LogIndex(15), 100, At(0));
  REQUIRE(progress.Accepted(LogIndex(15), At(0)));
  REQUIRE(progress.state() == Progress::State::kReplicate);
  REQUIRE(progress.match() == LogIndex(15));
  REQUIRE(progress.next() == LogIndex(16));
}

TEST_CASE("what came with an accepted probe is on its way, not sent again") {
  Progress progress(LogIndex(11), At(0));
  progress.Sent(LogIndex(15), 100, At(0));
  REQUIRE(progress.Accepted(LogIndex(10), At(0)));
  REQUIRE(progress.state() == Progress::State::kReplicate);
  REQUIRE(progress.next() == LogIndex(16));
  REQUIRE(progress.inflight_messages() == 1);
  REQUIRE(progress.inflight_bytes() == 100);
  progress.Accepted(LogIndex(15), At(0));
  REQUIRE(progress.inflight_messages() == 0);
}

TEST_CASE("an answer older than the probe says nothing about what came with it") {
  Progress progress(LogIndex(11), At(0));
  progress.Sent(LogIndex(15), 100, At(0));
  REQUIRE(progress.Accepted(LogIndex(5), At(0)));
  REQUIRE(progress.state() == Progress::State::kReplicate);
  REQUIRE(progress.next() == LogIndex(6));
  REQUIRE(progress.inflight_messages() == 0);
}

TEST_CASE("an old refusal, or the same one again, moves nothing") {
  Progress progress(LogIndex(11), At(0));
  progress.Sent(LogIndex(11), 1, At(0));
  REQUIRE(progress.Rejected(LogIndex(10), LogIndex(8), At(0)));
  progress.Sent(LogIndex(11), 1, At(0));
  REQUIRE_FALSE(progress.Rejected(LogIndex(10), LogIndex(3), At(0)));
  REQUIRE(progress.next() == LogIndex(9));
  Progress replicating = Replicating(20);
  REQUIRE_FALSE(replicating.Rejected(LogIndex(20), LogIndex(5), At(0)));
  REQUIRE_FALSE(replicating.Rejected(LogIndex(30), LogIndex(5), At(0)));
  REQUIRE(replicating.state() == Progress::State::kReplicate);
}

TEST_CASE("a refusal always moves back, whatever the hint says") {
  Progress progress(LogIndex(11), At(0));
  for (std::uint64_t next = 11; next > 1; --next) {
    progress.Sent(LogIndex(next), 1, At(0));
    REQUIRE(progress.Rejected(LogIndex(next - 1), LogIndex(100), At(0)));
    REQUIRE(progress.next() == LogIndex(next - 1));
  }
}

TEST_CASE("the pipeline is bounded by messages and by bytes, and an ack opens it") {
  Progress progress = Replicating(0);
  const Progress::Window window{100, 3};
  for (std::uint64_t last = 1; last <= 3; ++last) {
    REQUIRE(progress.MaySend(window));
    progress.Sent(LogIndex(last), 10, At(0));
  }
  REQUIRE_FALSE(progress.MaySend(window));
  progress.Accepted(LogIndex(2), At(0));
  REQUIRE(progress.inflight_messages() == 1);
  REQUIRE(progress.inflight_bytes() == 10);
  progress.Sent(LogIndex(9), 95, At(0));
  REQUIRE_FALSE(progress.MaySend(window));
  progress.Accepted(LogIndex(9), At(0));
  REQUIRE(progress.MaySend(window));
  REQUIRE(progress.inflight_bytes() == 0);
}

TEST_CASE("a lost message shows after one whole round without progress") {
  Progress progress = Replicating(5);
  progress.Sent(LogIndex(8), 10, At(3, 100ms));
  REQUIRE_FALSE(progress.HeartbeatAnswered(3, kPatience, At(3, 120ms)));
  REQUIRE_FALSE(progress.HeartbeatAnswered(4, kPatience, At(4, 130ms)));
  REQUIRE_FALSE(progress.HeartbeatAnswered(5, kPatience, At(5, 105ms)));
  REQUIRE(progress.HeartbeatAnswered(5, kPatience, At(5, 150ms)));
  REQUIRE(progress.state() == Progress::State::kProbe);
  REQUIRE(progress.next() == LogIndex(6));
  progress.Sent(LogIndex(8), 10, At(5, 150ms));
  REQUIRE_FALSE(progress.HeartbeatAnswered(6, kPatience, At(6, 170ms)));
  REQUIRE(progress.HeartbeatAnswered(7, kPatience, At(7, 190ms)));
  REQUIRE(progress.MaySend({100, 3}));
}

TEST_CASE("progress in between is no loss") {
  Progress progress = Replicating(5);
  progress.Sent(LogIndex(8), 10, At(3, 100ms));
  progress.Sent(LogIndex(9), 10, At(3, 100ms));
  progress.Accepted(LogIndex(8), At(5, 140ms));
  REQUIRE_FALSE(progress.HeartbeatAnswered(5, kPatience, At(5, 200ms)));
  REQUIRE_FALSE(progress.HeartbeatAnswered(6, kPatience, At(6, 200ms)));
  REQUIRE(progress.HeartbeatAnswered(7, kPatience, At(7, 200ms)));
}

TEST_CASE("a peer that waits for a snapshot is left alone until one arrives or fails") {
  Progress progress = Replicating(5);
  progress.NeedsSnapshot(At(0));
  REQUIRE(progress.state() == Progress::State::kSnapshot);
  REQUIRE_FALSE(progress.MaySend({100, 3}));
  REQUIRE_FALSE(progress.HeartbeatAnswered(9, kPatience, At(9, 1s)));
  REQUIRE_FALSE(progress.Rejected(LogIndex(6), LogIndex(2), At(0)));
  progress.SnapshotFailed(At(9, 1s));
  REQUIRE(progress.state() == Progress::State::kProbe);
  REQUIRE_FALSE(progress.MaySend({100, 3}));
  REQUIRE(progress.HeartbeatAnswered(11, kPatience, At(11, 2s)));
  progress.NeedsSnapshot(At(11, 2s));
  progress.SnapshotArrived(LogIndex(50), At(12, 3s));
  REQUIRE(progress.state() == Progress::State::kProbe);
  REQUIRE(progress.next() == LogIndex(51));
  REQUIRE(progress.match() == LogIndex(5));
}

// The model keeps every message of the pipeline in a list and derives all numbers from it.
TEST_CASE("progress against a plain model, under random answers") {
  struct Message {
    LogIndex last;
    std::size_t bytes;
  };
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    Random random(seed);
    const Progress::Window window{1 + random.Below(200), 1 + random.Below(6)};
    Progress progress(LogIndex(1 + random.Below(20)), At(0));
    std::vector<Message> inflight;
    LogIndex match;
    Message probe{LogIndex(), 0};
    for (int i = 0; i < 300; ++i) {
      const Progress::State before = progress.state();
      const LogIndex next = progress.next();
      switch (random.Below(6)) {
        case 0:
        case 1:
          if (progress.MaySend(window)) {
            const LogIndex last = next.Previous() + random.Below(5);
            const std::size_t bytes = random.Below(60);
            progress.Sent(last, bytes, At(0));
            if (before == Progress::State::kReplicate && last >= next) {
              inflight.push_back({last, bytes});
            }
            if (before == Progress::State::kProbe) probe = {last, bytes};
          }
          break;
        case 2:
        case 3: {
          const LogIndex late(random.Below(match.value() + 1));
          const LogIndex matched = random.Below(4) == 0 ? late : match + random.Below(4);
          const bool probing = before == Progress::State::kProbe && progress.IsProbing();
          const LogIndex sent = probing ? std::max(probe.last, next.Previous()) : next.Previous();
          if (matched > sent) break;  // nobody acknowledges what was never sent
          REQUIRE(progress.Accepted(matched, At(0)) == (matched > match));
          match = std::max(match, matched);
          if (probing && matched >= next.Previous() && probe.last > match) {
            inflight.push_back(probe);
          }
          std::erase_if(inflight, [&](const Message& m) { return m.last <= matched; });
          break;
        }
        case 4:
          progress.Rejected(LogIndex(random.Below(40)), LogIndex(random.Below(40)), At(0));
          break;
        case 5:
          if (random.Below(4) == 0) progress.NeedsSnapshot(At(0));
          if (random.Below(3) == 0) progress.SnapshotArrived(match + random.Below(5), At(0));
          if (random.Below(3) == 0) progress.SnapshotFailed(At(0));
          if (random.Below(3) == 0) progress.Silent(At(0));
          break;
      }
      if (progress.state() != Progress::State::kReplicate) inflight.clear();
      const std::size_t bytes =
          std::accumulate(inflight.begin(), inflight.end(), std::size_t{0},
                          [](std::size_t sum, const Message& m) { return sum + m.bytes; });
      REQUIRE(progress.match() == match);
      REQUIRE(progress.next() > match);
      REQUIRE(progress.inflight_messages() == inflight.size());
      REQUIRE(progress.inflight_bytes() == bytes);
      const bool full = inflight.size() >= window.messages_max || bytes >= window.bytes_max;
      switch (progress.state()) {
        case Progress::State::kProbe: break;
        case Progress::State::kReplicate: REQUIRE(progress.MaySend(window) == !full); break;
        case Progress::State::kSnapshot: REQUIRE_FALSE(progress.MaySend(window)); break;
      }
    }
  }
}
