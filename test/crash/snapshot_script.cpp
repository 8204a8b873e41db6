#include "snapshot_script.hpp"

#include <algorithm>
#include <random>

#include "snapshots/sha256.hpp"

namespace kommander::crash {
namespace {

using Kind = SnapshotStep::Kind;
constexpr std::uint32_t kPartitions = 3;
constexpr std::size_t kBytesMax = 20'000;
constexpr std::size_t kPieceBytes = 3'000;

Sha256 ChecksumOf(const std::vector<std::byte>& bytes) {
  storage::Sha256Hasher hasher;
  hasher.Add(bytes);
  return hasher.Finish();
}

}  // namespace

std::vector<SnapshotStep> MakeSnapshotScript(std::uint64_t seed, std::size_t steps) {
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) { return random() % bound; };
  std::vector<SnapshotStep> script;
  std::map<PartitionId, std::uint64_t> newest;
  while (script.size() < steps) {
    SnapshotStep& step = script.emplace_back();
    step.partition = PartitionId(static_cast<std::uint32_t>(1 + below(kPartitions)));
    step.draft = below(2) == 0 ? SnapshotStore::Draft::kTaken : SnapshotStore::Draft::kReceived;
    std::uint64_t& last = newest[step.partition];
    const std::uint64_t kind = below(100);
    if (kind < 55) {
      // Mostly a newer one; now and then the same once more.
      if (last == 0 || below(8) != 0) ++last;
      step.index = LogIndex(last);
    } else if (kind < 65) {
      step.kind = Kind::kAbandon;
    } else if (kind < 70) {
      step.kind = Kind::kDiscard;
    } else if (kind < 92) {
      step.kind = Kind::kRemove;
      step.index = LogIndex(last - std::min<std::uint64_t>(last, below(3)));
    } else {
      step.kind = kind < 94 ? Kind::kDelete : Kind::kReopen;
    }
    if (step.kind == Kind::kPublish || step.kind == Kind::kAbandon) {
      step.bytes.resize(below(kBytesMax));
      for (std::byte& byte : step.bytes) byte = static_cast<std::byte>(random() & 0xFF);
      step.info =
          SnapshotInfo(step.index, Term(1 + below(9)), step.bytes.size(), ChecksumOf(step.bytes));
    }
  }
  return script;
}

error_code Run(SnapshotStore& store, const SnapshotStep& step) {
  switch (step.kind) {
    case Kind::kPublish:
    case Kind::kAbandon: {
      error_code error = store.Begin(step.partition, step.draft);
      for (std::size_t at = 0; !error && at < step.bytes.size(); at += kPieceBytes) {
        const std::size_t bytes = std::min(kPieceBytes, step.bytes.size() - at);
        error = store.Append(step.partition, step.draft, ByteSpan(step.bytes).subspan(at, bytes));
      }
      if (error || step.kind == Kind::kAbandon) return error;
      SnapshotInfo info(step.info.index, step.info.term, 0, {});
      return store.Publish(step.partition, step.draft, info, step.info.sha256);
    }
    case Kind::kDiscard: store.Discard(step.partition, step.draft); return {};
    case Kind::kRemove: return store.Remove(step.partition, step.index);
    case Kind::kDelete: return store.Delete(step.partition);
    case Kind::kReopen: break;
  }
  return {};
}

void PossibleSnapshots::Take(const SnapshotStep& step, bool is_certain) {
  const auto take = [&](std::vector<Found>& found, const Found& now) {
    if (is_certain) found.clear();
    if (!is_certain && found.empty()) found.emplace_back();
    found.push_back(now);
  };
  switch (step.kind) {
    case Kind::kPublish: take(possible_[{step.partition, step.index}], step.info); return;
    case Kind::kRemove: take(possible_[{step.partition, step.index}], std::nullopt); return;
    case Kind::kDelete:
      for (auto& [place, found] : possible_) {
        if (place.first == step.partition) take(found, std::nullopt);
      }
      return;
    case Kind::kAbandon:
    case Kind::kDiscard:
    case Kind::kReopen: return;
  }
}

std::string PossibleSnapshots::Judge(SnapshotStore& store) const {
  std::map<Place, SnapshotInfo> listed;
  for (std::uint32_t id = 1; id <= kPartitions; ++id) {
    std::vector<SnapshotInfo> infos;
    if (store.List(PartitionId(id), infos)) return "the list cannot be had";
    for (const SnapshotInfo& info : infos) listed[{PartitionId(id), info.index}] = info;
  }
  for (const auto& [place, info] : listed) {
    const std::string name = "partition " + std::to_string(place.first.value()) + ", index " +
                             std::to_string(place.second.value());
    if (!possible_.contains(place)) return name + " was never published";
    if (const error_code error = store.Verify(place.first, place.second)) {
      return name + ": " + error.message();
    }
  }
  for (const auto& [place, possible] : possible_) {
    const auto at = listed.find(place);
    const Found found = at == listed.end() ? Found() : Found(at->second);
    if (std::find(possible.begin(), possible.end(), found) != possible.end()) continue;
    return "partition " + std::to_string(place.first.value()) + ", index " +
           std::to_string(place.second.value()) +
           (found ? " is there, or has other bytes" : " is missing");
  }
  return "";
}

PossibleSnapshots PossibleSnapshots::Of(SnapshotStore& store) {
  PossibleSnapshots all;
  for (std::uint32_t id = 1; id <= kPartitions; ++id) {
    std::vector<SnapshotInfo> infos;
    (void)store.List(PartitionId(id), infos);
    for (const SnapshotInfo& info : infos) all.possible_[{PartitionId(id), info.index}] = {info};
  }
  return all;
}

}  // namespace kommander::crash
