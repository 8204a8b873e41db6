// The queue of one peer: order, bound, and what replaces what.
#include "common/send_queue.hpp"

#include <map>
#include <random>
#include <tuple>

#include "catch.hpp"
#include "codec/messages.hpp"

using namespace kommander;
using kommander::transports::Counters;
using kommander::transports::SendQueue;

namespace {

Message Make(PartitionId partition, Term term, MessageBody body) {
  return Message(partition, NodeId(1), NodeId(2), term, std::move(body));
}
Message Beat(PartitionId partition, std::uint64_t round, Term term = Term(1)) {
  Heartbeat beat;
  beat.round = round;
  return Make(partition, term, beat);
}
Message BeatReply(PartitionId partition, std::uint64_t round, Term term = Term(1)) {
  HeartbeatReply reply;
  reply.round = round;
  return Make(partition, term, reply);
}
Message Ack(PartitionId partition, std::uint64_t matched, bool accepted = true,
            Term term = Term(1)) {
  AppendReply reply;
  reply.accepted = accepted;
  reply.matched = LogIndex(matched);
  return Make(partition, term, reply);
}
Message Vote(PartitionId partition) { return Make(partition, Term(1), VoteRequest()); }

struct Fixture {
  explicit Fixture(std::size_t bytes_max = 1u << 20) : queue(bytes_max, counters) { queue.Open(); }
  bool Push(Message message) { return queue.Push(std::move(message)); }
  std::vector<Message> TakeAll() {
    std::vector<Message> out;
    while (queue.Take(1u << 30, out)) {
    }
    return out;
  }
  Counters counters;
  SendQueue queue;
};

}  // namespace

TEST_CASE("send queue: one wake until the connection has found it empty") {
  Fixture f;
  CHECK(f.Push(Vote(1)));
  CHECK_FALSE(f.Push(Vote(2)));
  std::vector<Message> out;
  REQUIRE(f.queue.Take(1u << 20, out));
  CHECK(out == std::vector<Message>{Vote(1), Vote(2)});
  CHECK_FALSE(f.Push(Vote(3)));  // the write of what was taken is still being made
  REQUIRE(f.queue.Take(1u << 20, out));
  CHECK_FALSE(f.queue.Take(1u << 20, out));
  CHECK(f.Push(Vote(4)));
}

TEST_CASE("send queue: it takes nothing before it is opened and after it is closed") {
  Counters counters;
  SendQueue queue(1000, counters);
  CHECK_FALSE(queue.Push(Vote(1)));
  CHECK(counters.dropped_unreachable.Get() == 1);
  queue.Open();
  CHECK(queue.Push(Vote(1)));
  CHECK_FALSE(queue.Push(Vote(2)));
  queue.Close();
  CHECK(counters.dropped_unreachable.Get() == 3);
  CHECK(queue.queued_bytes() == 0);
  queue.Open();
  CHECK(queue.Push(Vote(3)));
  std::vector<Message> out;
  REQUIRE(queue.Take(1000, out));
  CHECK(out == std::vector<Message>{Vote(3)});
}

TEST_CASE("send queue: bounded in bytes, what is being written included") {
  const std::size_t cost = codec::EncodedBytes(Vote(1)) + SendQueue::kItemOverheadBytes;
  Fixture f(cost * 3);
  for (std::uint32_t i = 0; i < 5; ++i) (void)f.Push(Vote(i));
  CHECK(f.counters.dropped_queue_full.Get() == 2);
  CHECK(f.queue.queued_bytes() == cost * 3);
  std::vector<Message> out;
  REQUIRE(f.queue.Take(1, out));  // one of them
  CHECK(out.size() == 1);
  CHECK(f.queue.queued_bytes() == cost * 3);
  (void)f.Push(Vote(9));
  CHECK(f.counters.dropped_queue_full.Get() == 3);
  REQUIRE(f.queue.Take(1, out));  // the first has been written
  CHECK(f.queue.queued_bytes() == cost * 2);
  (void)f.Push(Vote(10));
  CHECK(f.counters.dropped_queue_full.Get() == 3);
}

TEST_CASE("send queue: one message larger than the bound passes alone") {
  Fixture f(10);
  CHECK(f.Push(Vote(1)));
  CHECK_FALSE(f.Push(Vote(2)));
  CHECK(f.counters.dropped_queue_full.Get() == 1);
}

TEST_CASE("send queue: a message that no frame can hold is dropped") {
  Fixture f(1u << 30);
  AppendRequest append;
  append.entries.emplace_back(Term(1), LogIndex(1), EntryKind::kApplication, Ticket(),
                              Payload(std::string(16u << 20, 'x')));
  CHECK_FALSE(f.Push(Make(1, Term(1), append)));
  CHECK(f.counters.dropped_queue_full.Get() == 1);
  CHECK(f.queue.queued_bytes() == 0);
}

TEST_CASE("send queue: the newest of each class and partition stands where the oldest stood") {
  Fixture f;
  for (const Message& message : {Beat(1, 1), Ack(1, 10), BeatReply(1, 5), Vote(1), Beat(2, 1),
                                 Beat(1, 2), Ack(1, 12), BeatReply(1, 6), Vote(1), Beat(1, 3)}) {
    (void)f.Push(message);
  }
  CHECK(f.TakeAll() == std::vector<Message>{Beat(1, 3), Ack(1, 12), BeatReply(1, 6), Vote(1),
                                            Beat(2, 1), Vote(1)});
  CHECK(f.counters.dropped_superseded.Get() == 4);
}

TEST_CASE("send queue: the older of two is dropped, whichever came first") {
  Fixture f;
  for (const Message& message :
       {Beat(1, 9, Term(2)), Beat(1, 10, Term(1)), Beat(1, 8, Term(2)), Ack(1, 7), Ack(1, 6),
        BeatReply(1, 4, Term(3)), BeatReply(1, 3, Term(4))}) {
    (void)f.Push(message);
  }
  CHECK(f.TakeAll() ==
        std::vector<Message>{Beat(1, 9, Term(2)), Ack(1, 7), BeatReply(1, 3, Term(4))});
}

TEST_CASE("send queue: rejections, and what was taken, are not replaced") {
  Fixture f;
  (void)f.Push(Ack(1, 1, false));
  (void)f.Push(Ack(1, 2, false));
  (void)f.Push(Ack(1, 3));
  (void)f.Push(Ack(1, 4, false));
  std::vector<Message> out;
  REQUIRE(f.queue.Take(1u << 20, out));
  CHECK(out.size() == 4);
  (void)f.Push(Ack(1, 5));
  (void)f.Push(Beat(1, 1));
  CHECK(f.TakeAll() == std::vector<Message>{Ack(1, 5), Beat(1, 1)});
  CHECK(f.counters.dropped_superseded.Get() == 0);
}

TEST_CASE("send queue: it behaves like a naive one") {
  // The model keeps a list and searches it.
  std::mt19937_64 random(GENERATE(1u, 2u, 3u, 4u));
  Fixture f;
  std::vector<Message> model;
  const auto key = [](const Message& m) {
    const auto* reply = std::get_if<AppendReply>(&m.body);
    const bool replaceable = std::holds_alternative<Heartbeat>(m.body) ||
                             std::holds_alternative<HeartbeatReply>(m.body) ||
                             (reply != nullptr && reply->accepted);
    return std::tuple(replaceable, m.partition, m.body.index());
  };
  std::uint64_t now = 0;
  for (int step = 0; step < 20'000; ++step) {
    ++now;
    // Few partitions often replace, many make the table grow.
    const PartitionId partition(static_cast<std::uint32_t>(random() % (step < 10'000 ? 5 : 3'000)));
    const auto choice = random() % 10;
    if (choice < 8) {
      const Message message = choice < 3   ? Beat(partition, now)
                              : choice < 5 ? Ack(partition, now)
                              : choice < 7 ? BeatReply(partition, now)
                                           : Vote(partition);
      (void)f.Push(message);
      const auto same = std::find_if(model.begin(), model.end(), [&](const Message& m) {
        return std::get<0>(key(m)) && key(m) == key(message);
      });
      if (same != model.end()) {
        *same = message;
      } else {
        model.push_back(message);
      }
    } else {
      std::vector<Message> out;
      (void)f.queue.Take(random() % 2'000, out);
      REQUIRE(out.size() <= model.size());
      REQUIRE(std::equal(out.begin(), out.end(), model.begin()));
      model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(out.size()));
    }
  }
  CHECK(f.TakeAll() == model);
}
