// The ledger's verdicts.
#include "raft/ledger.hpp"

#include <vector>

namespace kommander::raft {
namespace {
constexpr std::byte kVersion{1};
}

Verdict Ledger::Step(const Entry& entry) {
  switch (entry.kind) {
    case EntryKind::kApplication: return Verdict::kDeliver;
    case EntryKind::kNoop:
    case EntryKind::kConfiguration: return Verdict::kSilent;
  }
  return Verdict::kSilent;
}

Payload Ledger::Serialize() const { return Payload(std::vector<std::byte>{kVersion}); }

bool Ledger::Restore(ByteSpan bytes) {
  return bytes.empty() || (bytes.size() == 1 && bytes[0] == kVersion);
}

}  // namespace kommander::raft
