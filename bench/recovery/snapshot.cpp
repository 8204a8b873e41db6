// A snapshot goes from one node to another over loopback and is verified and synced there, beside
// what the disk and SHA-256 can do by themselves with as many bytes.
#include <algorithm>
#include <chrono>
#include <fcntl.h>
#include <memory>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <kommander/file_snapshots.hpp>

#include "group.hpp"
#include "measurements.hpp"
#include "snapshots/sha256.hpp"
#include "state.hpp"

namespace kommander::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBlock = std::size_t{1} << 20;
constexpr std::uint64_t kSnapshotEntries = 2000;

double MibPerSecond(std::uint64_t bytes, Clock::duration time) {
  return static_cast<double>(bytes) / (1 << 20) / std::chrono::duration<double>(time).count();
}

double ProbeSha256(std::uint32_t mib) {
  const std::vector<std::byte> block(kBlock, std::byte{0x5a});
  const Clock::time_point begin = Clock::now();
  storage::Sha256Hasher hasher;
  for (std::uint32_t i = 0; i < mib; ++i) hasher.Add(block);
  (void)hasher.Finish();
  return MibPerSecond(std::uint64_t{mib} * kBlock, Clock::now() - begin);
}

double ProbeWrite(const std::string& directory, std::uint32_t mib) {
  const std::vector<std::byte> block(kBlock, std::byte{0x5a});
  const std::string path = directory + "/probe";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const Clock::time_point begin = Clock::now();
  bool is_good = file >= 0;
  for (std::uint32_t i = 0; i < mib && is_good; ++i) {
    is_good = ::write(file, block.data(), block.size()) == static_cast<ssize_t>(block.size());
  }
  is_good = is_good && ::fsync(file) == 0;
  const double rate = MibPerSecond(std::uint64_t{mib} * kBlock, Clock::now() - begin);
  const int error = errno;
  ::close(file);
  ::unlink(path.c_str());
  if (!is_good) throw std::system_error(error, std::generic_category(), "cannot write " + path);
  return rate;
}

// While `follower` is away, the rest writes until a snapshot has taken the place of what it needs.
void Outrun(Group& group, std::size_t follower) {
  const LogIndex had = group.node(follower).raft().Status(1).last;
  group.Stop(follower);
  group.StartLoad();
  Await("a snapshot that the log begins with",
        [&] { return group.node(group.Leader(1)).raft().Status(1).first > had.Next(); });
  group.StopLoad();
}

// From its offer to the answer that it is installed.
double TransferMibPerSecond(Group& group, std::size_t follower) {
  const std::size_t leader = group.Leader(1);
  const NodeId id = group.node(follower).raft().id();
  const auto find = [&] {
    const std::vector<PeerStatus> peers = group.node(leader).raft().GetPeers(1);
    return *std::find_if(peers.begin(), peers.end(),
                         [&](const PeerStatus& peer) { return peer.node == id; });
  };
  PeerStatus peer;
  Await("the transfer to begin", [&] { return (peer = find()).snapshot.value() != 0; });
  const Clock::time_point begin = Clock::now();
  const std::uint64_t bytes = peer.snapshot_bytes;
  Await("its end", [&] { return find().matched >= peer.snapshot; });
  return MibPerSecond(bytes, Clock::now() - begin);
}

}  // namespace

Table MeasureSnapshot(const RecoveryOptions& options, const std::string& directory) {
  constexpr std::size_t kFollower = 2;
  Options load = LoadOf(options, 3, 1);
  Group group(load, directory, [&](std::size_t node) {
    NodeExtras extras;
    extras.machine = std::make_shared<CountingState>(std::size_t{options.state_mib} << 20);
    extras.snapshots = MakeFileSnapshots(directory + "/snapshots" + std::to_string(node + 1));
    extras.configure = [](RaftConfiguration& configuration) {
      configuration.SnapshotEntries(kSnapshotEntries).RetainedEntries(0).CompactionStep(64);
    };
    return extras;
  });
  group.StartAll();
  group.KeepFromLeading(kFollower, 1);
  std::vector<double> rates;
  std::vector<double> sums;
  std::vector<double> writes;
  std::vector<double> ratios;
  for (std::uint32_t round = 0; round < options.rounds; ++round) {
    Outrun(group, kFollower);
    sums.push_back(ProbeSha256(options.state_mib));
    writes.push_back(ProbeWrite(directory, options.state_mib));
    group.Start(kFollower);
    rates.push_back(TransferMibPerSecond(group, kFollower));
    ratios.push_back(rates.back() / std::min(sums.back(), writes.back()));
    group.node(kFollower).AwaitReady();
  }
  return {{"state_mib", Format(options.state_mib)},
          {"rounds", Format(options.rounds)},
          {"sha256_mib_per_second", Format(Median(sums))},
          {"write_mib_per_second", Format(Median(writes))},
          {"transfer_mib_per_second", Format(Median(rates))},
          {"transfer_to_lesser", Format(Median(ratios))}};
}

}  // namespace kommander::bench
