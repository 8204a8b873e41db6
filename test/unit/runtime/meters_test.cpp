// Classes of durations have exact edges, and what a view of peers shows is of one moment each.
#include <atomic>
#include <thread>
#include <vector>

#include "catch.hpp"
#include "runtime/partition_meters.hpp"
#include "runtime/peers_view.hpp"

namespace kommander::runtime {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a duration belongs to the first class whose bound is not below it") {
  CHECK(LatencyMeter::ClassOf(0ns) == 0);
  for (std::size_t i = 0; i + 1 < LatencyHistogram::kClasses; ++i) {
    CAPTURE(i);
    CHECK(LatencyMeter::ClassOf(LatencyHistogram::Bound(i)) == i);
    CHECK(LatencyMeter::ClassOf(LatencyHistogram::Bound(i) + 1ns) == i + 1);
  }
  CHECK(LatencyMeter::ClassOf(24h) == LatencyHistogram::kClasses - 1);
}

TEST_CASE("quantiles are bounds of classes") {
  LatencyMeter meter;
  CHECK(meter.Get().Quantile(0.5) == 0ns);
  for (int i = 0; i < 98; ++i) meter.Add(20us);
  meter.Add(60us);
  meter.Add(1h);
  const LatencyHistogram histogram = meter.Get();
  CHECK(histogram.Count() == 100);
  CHECK(histogram.Quantile(0.0) == 32us);
  CHECK(histogram.Quantile(0.98) == 32us);
  CHECK(histogram.Quantile(0.985) == 64us);
  CHECK(histogram.Quantile(1.0) == LatencyHistogram::Bound(LatencyHistogram::kClasses - 2));
  CHECK(histogram.sum == 98 * 20us + 60us + 1h);
}

PeerStatus PeerAt(std::uint32_t node, std::uint64_t at) {
  PeerStatus peer;
  peer.node = NodeId(node);
  peer.state = PeerStatus::State::kSnapshot;
  peer.silent = at % 2 == 0;
  peer.backfill = true;
  peer.matched = LogIndex(at);
  peer.next = LogIndex(at + 1);
  peer.inflight_messages = 2 * at;
  peer.inflight_bytes = 3 * at;
  peer.snapshot = LogIndex(4 * at);
  peer.snapshot_bytes = 5 * at;
  peer.snapshot_bytes_received = 6 * at;
  peer.snapshot_failures = 7 * at;
  return peer;
}

void CheckPeer(const PeerStatus& peer, std::uint32_t node) {
  const std::uint64_t at = peer.matched.value();
  REQUIRE(peer.node == NodeId(node));
  REQUIRE(peer.state == PeerStatus::State::kSnapshot);
  REQUIRE(peer.silent == (at % 2 == 0));
  REQUIRE(peer.backfill);
  REQUIRE(peer.next == LogIndex(at + 1));
  REQUIRE(peer.inflight_messages == 2 * at);
  REQUIRE(peer.inflight_bytes == 3 * at);
  REQUIRE(peer.snapshot == LogIndex(4 * at));
  REQUIRE(peer.snapshot_bytes == 5 * at);
  REQUIRE(peer.snapshot_bytes_received == 6 * at);
  REQUIRE(peer.snapshot_failures == 7 * at);
}

TEST_CASE("peers come, change and go") {
  PeersView view;
  CHECK(view.Read().empty());
  const std::vector<PeerStatus> two{PeerAt(2, 5), PeerAt(3, 8)};
  view.Publish(two);
  REQUIRE(view.Read().size() == 2);
  CheckPeer(view.Read()[0], 2);
  CheckPeer(view.Read()[1], 3);
  const std::vector<PeerStatus> others{PeerAt(3, 9)};
  view.Publish(others);
  REQUIRE(view.Read().size() == 1);
  CheckPeer(view.Read()[0], 3);
  CHECK(view.Read()[0].matched == LogIndex(9));
  view.Publish({});
  CHECK(view.Read().empty());
}

TEST_CASE("a reader beside the writer sees whole peers") {
  PeersView view;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint64_t at = 1; !done.load(); ++at) {
      const std::vector<PeerStatus> peers{PeerAt(2, at), PeerAt(3, at)};
      // Now and then one more, so that the places are others.
      view.Publish(at % 64 == 0 ? std::span(peers) : std::span(peers).first(1));
    }
  });
  std::uint64_t last = 0;
  for (int changes = 0; changes < 5000;) {
    const std::vector<PeerStatus> peers = view.Read();
    for (std::size_t i = 0; i < peers.size(); ++i) {
      CheckPeer(peers[i], static_cast<std::uint32_t>(i + 2));
    }
    if (peers.empty() || peers[0].matched.value() == last) continue;
    last = peers[0].matched.value();
    ++changes;
  }
  done.store(true);
  writer.join();
}

}  // namespace
}  // namespace kommander::runtime
