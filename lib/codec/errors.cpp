// The error category: one line per error that says what to do about it.
#include <string>

#include <kommander/errors.hpp>

namespace kommander {
namespace {

const char* Describe(RaftErrc errc) noexcept {
  switch (errc) {
    case RaftErrc::NodeIsNotLeader: return "this node does not lead the partition; ask its leader";
    case RaftErrc::DeadlineExceeded: return "the deadline passed before the proposal was accepted";
    case RaftErrc::ProposalDropped: return "another leader's entry was committed in its place";
    case RaftErrc::ProposalQueueFull: return "too many proposals are waiting; retry after a pause";
    case RaftErrc::DiskFull: return "too little free disk space for new proposals";
    case RaftErrc::ReadTimeout: return "no quorum confirmed the read in time";
    case RaftErrc::NodeIsNotReady: return "the node has not joined, or is still restoring";
    case RaftErrc::ChangeInProgress: return "another configuration change is in progress";
    case RaftErrc::TransferTimeout: return "the target did not take over leadership in time";
    case RaftErrc::LeaderTimeout: return "no leader was elected in time";
    case RaftErrc::TooManyOpenTickets: return "too many tickets are open; commit or roll back some";
    case RaftErrc::TooManySessions: return "too many sessions are open; close some";
    case RaftErrc::PartitionMoved: return "the partition has another generation; route anew";
    case RaftErrc::TooManySettings: return "the cluster has too many settings; remove some";
    case RaftErrc::SettingChanged: return "the setting has another version; look at it anew";
    case RaftErrc::OutcomeUnknown: return "the wait ended; the write may still take effect";
    case RaftErrc::ProposalTimeout: return "no quorum in time; the write may still take effect";
    case RaftErrc::PartlyCommitted:
      return "the committed part of the batch is; the manual one was not prepared";
    case RaftErrc::ProposalTooLarge: return "the entry exceeds entry_bytes_max; split the batch";
    case RaftErrc::PartitionNotFound: return "no such partition";
    case RaftErrc::UnknownNode: return "the node is not a voter of the partition";
    case RaftErrc::InvalidArgument: return "invalid argument";
    case RaftErrc::InvalidConfiguration: return "the configuration is invalid";
    case RaftErrc::AlreadyJoined: return "the node has joined already";
    case RaftErrc::ProposalNotFound: return "no such ticket, or it was settled long ago";
    case RaftErrc::AlreadySettled: return "the ticket was settled the other way";
    case RaftErrc::SessionExpired: return "the session is closed; open another one";
    case RaftErrc::LogCompacted: return "the entries have been removed from the log";
    case RaftErrc::StorageFailed:
      return "a write or sync failed; mend the disk and restart the node";
    case RaftErrc::WalCorrupted: return "the log is damaged or acknowledged data is missing";
    case RaftErrc::WalNewerFormat: return "the log was written by a newer version";
    case RaftErrc::WalForeign: return "the log belongs to another node or cluster";
    case RaftErrc::WalLocked: return "another process has the log open";
    case RaftErrc::WalUnavailable: return "the log cannot be opened or created";
    case RaftErrc::NodeStopped: return "the node was stopped";
    case RaftErrc::AddressInUse: return "the address is in use";
    case RaftErrc::ClusterIdMismatch: return "the peer belongs to another cluster";
    case RaftErrc::DuplicateNodeId: return "two processes claim the same node id";
    case RaftErrc::IdentityReplaced: return "the node's disk was replaced; it needs a new node id";
    case RaftErrc::BootstrapMismatch: return "the peer was started with other initial members";
    case RaftErrc::VersionMismatch: return "no protocol version in common with the peer";
    case RaftErrc::UnexpectedPeer: return "the peer is not the node that was expected";
    case RaftErrc::SnapshotMissing: return "there is no such snapshot";
    case RaftErrc::SnapshotCorrupted: return "the snapshot does not match its checksum";
    case RaftErrc::SnapshotFailed: return "the snapshot could not be taken, written or read";
  }
  return "unknown error";
}

class Category final : public boost::system::error_category {
 public:
  const char* name() const noexcept override { return "kommander"; }
  std::string message(int value) const override { return Describe(static_cast<RaftErrc>(value)); }
};

bool IsBetween(const error_code& error, int low, int high) noexcept {
  return error.category() == RaftCategory() && error.value() >= low && error.value() <= high;
}

}  // namespace

const boost::system::error_category& RaftCategory() noexcept {
  static const Category category;
  return category;
}

std::string_view ToString(RaftErrc errc) noexcept {
  switch (errc) {
    case RaftErrc::NodeIsNotLeader: return "NodeIsNotLeader";
    case RaftErrc::DeadlineExceeded: return "DeadlineExceeded";
    case RaftErrc::ProposalDropped: return "ProposalDropped";
    case RaftErrc::ProposalQueueFull: return "ProposalQueueFull";
    case RaftErrc::DiskFull: return "DiskFull";
    case RaftErrc::ReadTimeout: return "ReadTimeout";
    case RaftErrc::NodeIsNotReady: return "NodeIsNotReady";
    case RaftErrc::ChangeInProgress: return "ChangeInProgress";
    case RaftErrc::TransferTimeout: return "TransferTimeout";
    case RaftErrc::LeaderTimeout: return "LeaderTimeout";
    case RaftErrc::TooManyOpenTickets: return "TooManyOpenTickets";
    case RaftErrc::TooManySessions: return "TooManySessions";
    case RaftErrc::PartitionMoved: return "PartitionMoved";
    case RaftErrc::TooManySettings: return "TooManySettings";
    case RaftErrc::SettingChanged: return "SettingChanged";
    case RaftErrc::OutcomeUnknown: return "OutcomeUnknown";
    case RaftErrc::ProposalTimeout: return "ProposalTimeout";
    case RaftErrc::PartlyCommitted: return "PartlyCommitted";
    case RaftErrc::ProposalTooLarge: return "ProposalTooLarge";
    case RaftErrc::PartitionNotFound: return "PartitionNotFound";
    case RaftErrc::UnknownNode: return "UnknownNode";
    case RaftErrc::InvalidArgument: return "InvalidArgument";
    case RaftErrc::InvalidConfiguration: return "InvalidConfiguration";
    case RaftErrc::AlreadyJoined: return "AlreadyJoined";
    case RaftErrc::ProposalNotFound: return "ProposalNotFound";
    case RaftErrc::AlreadySettled: return "AlreadySettled";
    case RaftErrc::SessionExpired: return "SessionExpired";
    case RaftErrc::LogCompacted: return "LogCompacted";
    case RaftErrc::StorageFailed: return "StorageFailed";
    case RaftErrc::WalCorrupted: return "WalCorrupted";
    case RaftErrc::WalNewerFormat: return "WalNewerFormat";
    case RaftErrc::WalForeign: return "WalForeign";
    case RaftErrc::WalLocked: return "WalLocked";
    case RaftErrc::WalUnavailable: return "WalUnavailable";
    case RaftErrc::NodeStopped: return "NodeStopped";
    case RaftErrc::AddressInUse: return "AddressInUse";
    case RaftErrc::ClusterIdMismatch: return "ClusterIdMismatch";
    case RaftErrc::DuplicateNodeId: return "DuplicateNodeId";
    case RaftErrc::IdentityReplaced: return "IdentityReplaced";
    case RaftErrc::BootstrapMismatch: return "BootstrapMismatch";
    case RaftErrc::VersionMismatch: return "VersionMismatch";
    case RaftErrc::UnexpectedPeer: return "UnexpectedPeer";
    case RaftErrc::SnapshotMissing: return "SnapshotMissing";
    case RaftErrc::SnapshotCorrupted: return "SnapshotCorrupted";
    case RaftErrc::SnapshotFailed: return "SnapshotFailed";
  }
  return "Unknown";
}

bool IsRetryable(const error_code& error) noexcept {
  return IsBetween(error, 1, 19) && error != RaftErrc::PartitionMoved &&
         error != RaftErrc::SettingChanged;
}
std::optional<Duration> RetryAfter(const error_code& error) noexcept {
  using std::chrono::milliseconds;
  if (!IsRetryable(error)) return std::nullopt;
  switch (static_cast<RaftErrc>(error.value())) {
    // Somebody else is to be asked, or the time was too short: nothing has to pass first.
    case RaftErrc::DeadlineExceeded:
    case RaftErrc::ProposalDropped:
    case RaftErrc::ReadTimeout:
    case RaftErrc::LeaderTimeout: return milliseconds(0);
    // A burst has to be written.
    case RaftErrc::ProposalQueueFull: return milliseconds(20);
    // An election may be under way.
    case RaftErrc::NodeIsNotLeader: return milliseconds(50);
    // Somebody has to do something about it.
    case RaftErrc::DiskFull:
    case RaftErrc::TooManySettings:
    case RaftErrc::TooManySessions: return milliseconds(1000);
    default: return milliseconds(100);
  }
}
bool IsOutcomeUnknown(const error_code& error) noexcept { return IsBetween(error, 20, 24); }
bool IsFatal(const error_code& error) noexcept { return IsBetween(error, 40, 59); }

}  // namespace kommander
