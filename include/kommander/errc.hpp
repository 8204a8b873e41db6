// Every way in which an operation of this library can end other than well. What each promises about
// the effect of a write is tabled in docs/guarantees.md.
#pragma once

namespace kommander {

enum class RaftErrc {
  // --- No effect, try elsewhere or later ---
  NodeIsNotLeader = 1,      // another node leads, or none; the result carries a hint
  DeadlineExceeded = 2,     // the deadline passed before the proposal was appended
  ProposalDropped = 3,      // another leader's entry was committed in its place
  ProposalQueueFull = 4,    // the partition's data lane or a WAL lane is full
  DiskFull = 5,             // free space is below the watermark
  ReadTimeout = 6,          // no quorum confirmed the read in time
  NodeIsNotReady = 7,       // JoinCluster has not completed, or restore is running
  ChangeInProgress = 8,     // one configuration change at a time
  TransferTimeout = 9,      // the target did not take over within one election timeout
  LeaderTimeout = 10,       // no leader was known in time
  TooManyOpenTickets = 11,  // decide some: a partition keeps so many prepared proposals, no more
  TooManySessions = 12,     // close some: a partition remembers so many clients, no more
  PartitionMoved = 13,      // the generation is not the expected one: not this call, route anew
  TooManySettings = 14,     // remove some: the cluster keeps so many, no more
  SettingChanged = 15,      // the version is not the expected one: not this call, look anew

  // --- Outcome unknown: the write may take effect yet ---
  OutcomeUnknown = 20,   // the wait ended (stop, cancellation, failed storage) after the append
  ProposalTimeout = 21,  // the deadline passed after the append

  // --- A part of it took effect ---
  PartlyCommitted = 25,  // of an EntryBatch the committed part is, the manual one is not prepared

  // --- The request is wrong ---
  ProposalTooLarge = 30,      // an entry would exceed entry_bytes_max
  PartitionNotFound = 31,     // no such partition in the map
  UnknownNode = 32,           // the target is not a voter of the partition
  InvalidArgument = 33,       // empty batch, reserved type, type too long
  InvalidConfiguration = 34,  // RaftConfiguration::Validate() lists the problems
  AlreadyJoined = 35,         // JoinCluster was called twice
  ProposalNotFound = 36,      // no such ticket: never prepared here, or settled long ago
  AlreadySettled = 37,        // the ticket was settled the other way
  SessionExpired = 38,        // the session was closed: nothing of it is executed any more
  LogCompacted = 39,          // the entries are gone already

  // --- This node, until it is restarted or mended ---
  StorageFailed = 40,   // a write or a sync failed; the file set takes no more writes
  WalCorrupted = 41,    // acknowledged data is missing or damaged
  WalNewerFormat = 42,  // written by a newer version of this library
  WalForeign = 43,      // the store belongs to another node or cluster
  WalLocked = 44,       // another process has the store open
  WalUnavailable = 45,  // the store cannot be created or opened
  NodeStopped = 46,     // Stop was called
  AddressInUse = 47,    // the listening port is taken

  // --- Refused by a peer ---
  ClusterIdMismatch = 60,  // the peer belongs to another cluster
  DuplicateNodeId = 61,    // two processes claim one node id
  IdentityReplaced = 62,   // the peer was known under another incarnation: its disk was replaced
  BootstrapMismatch = 63,  // the peer was started with other initial members
  VersionMismatch = 64,    // no protocol version in common
  UnexpectedPeer = 65,     // the peer is not the node that was dialled, or no member

  // --- Snapshots ---
  SnapshotMissing = 70,    // there is no such snapshot; fatal where the log begins after it
  SnapshotCorrupted = 71,  // its bytes do not match its checksum
  SnapshotFailed = 72,     // it could not be taken, written or read
};

}  // namespace kommander
