// Negative controls of the simulated store: nodes that show an old state, swap twice or deliver
// what was refused are noticed, and honest ones are not.
#include "invariants/linearizability.hpp"

#include <cstring>
#include <string>

#include "catch.hpp"

using namespace kommander;
using namespace kommander::sim;

namespace {

struct Store {
  Store() {
    invariant.Attach(facts, [this](std::string_view, std::string what) { told += what; });
    for (std::uint32_t node : {1u, 2u}) invariant.OnLifeBegan(NodeId(node));
  }
  ClientOperation Begin(std::uint64_t id, OperationKind kind, std::uint32_t node) {
    ClientOperation operation;
    operation.id = id;
    operation.kind = kind;
    operation.node = NodeId(node);
    operation.life = 1;
    operation.partition = PartitionId(1);
    operation.count = kind == OperationKind::kWrite ? 2 : 0;
    invariant.OnBegan(operation);
    return operation;
  }
  void End(ClientOperation operation, error_code error = {}) {
    operation.end = OperationEnd::kAnswered;
    operation.error = error;
    invariant.OnEnded(operation);
  }
  void Deliver(std::uint32_t node, std::uint64_t id) {
    for (std::uint32_t ordinal = 0; ordinal < 2; ++ordinal) {
      std::vector<std::byte> bytes(sizeof id + sizeof ordinal);
      std::memcpy(bytes.data(), &id, sizeof id);
      std::memcpy(bytes.data() + sizeof id, &ordinal, sizeof ordinal);
      const RaftLog log(PartitionId(1), LogIndex(id), ordinal, Term(1), Ticket(), kOperationType,
                        Payload(std::move(bytes)));
      invariant.OnDelivered(NodeId(node), log, false);
    }
  }
  // One after the other, on node 1; of several kinds, on several keys.
  void Write(std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t id = first; id <= last; ++id) {
      const ClientOperation write = Begin(id, OperationKind::kWrite, 1);
      Deliver(1, id);
      End(write);
    }
  }
  void Read(std::uint64_t first, std::uint64_t last, std::uint32_t node) {
    for (std::uint64_t id = first; id <= last; ++id) End(Begin(id, OperationKind::kRead, node));
  }
  bool IsGood() {
    invariant.OnRunEnded();
    return told.empty();
  }

  Facts facts;
  Linearizability invariant;
  std::string told;
};

}  // namespace

TEST_CASE("an honest store passes, and everything it did was judged") {
  Store store;
  store.Write(1, 40);
  store.Read(41, 60, 1);
  const ClientOperation never = store.Begin(61, OperationKind::kWrite, 2);
  store.Read(62, 70, 1);
  store.Deliver(1, never.id);
  store.Read(71, 80, 1);
  INFO(store.told);
  CHECK(store.IsGood());
  CHECK(store.invariant.judged() >= 2 * 40 + 20 + 9 + 10);
}

TEST_CASE("a node that shows an old state is noticed") {
  Store store;
  store.Write(1, 40);
  for (std::uint64_t id = 1; id <= 25; ++id) store.Deliver(2, id);
  CHECK(store.IsGood());
  store.Read(41, 60, 2);
  CHECK_FALSE(store.IsGood());
}

TEST_CASE("a restarted node is judged by what it has delivered since") {
  Store store;
  store.Write(1, 20);
  store.invariant.OnLifeBegan(NodeId(1));
  store.Read(21, 30, 1);  // asked of the life before: nobody can look any more
  CHECK(store.IsGood());
  ClientOperation read = store.Begin(31, OperationKind::kRead, 1);
  read.life = 2;
  store.End(read);
  CHECK_FALSE(store.IsGood());
}

TEST_CASE("an acknowledged write that is nowhere is noticed") {
  Store store;
  store.Write(1, 20);
  for (std::uint64_t id = 21; id <= 30; ++id) store.End(store.Begin(id, OperationKind::kWrite, 1));
  store.Read(31, 50, 1);
  CHECK_FALSE(store.IsGood());
}

TEST_CASE("a refused write that is seen is noticed") {
  Store store;
  store.Write(1, 20);
  for (std::uint64_t id = 21; id <= 30; ++id) {
    store.End(store.Begin(id, OperationKind::kWrite, 1), RaftErrc::NodeIsNotLeader);
    store.Deliver(1, id);
  }
  store.Read(31, 50, 1);
  CHECK_FALSE(store.IsGood());
}

TEST_CASE("swaps and deletes judged on a state of long ago are noticed") {
  Store store;
  store.Write(1, 60);
  CHECK(store.IsGood());
  // The asked node delivers none of what has come before.
  for (std::uint64_t id = 61; id <= 90; ++id) {
    const ClientOperation write = store.Begin(id, OperationKind::kWrite, 2);
    store.Deliver(2, id);
    store.End(write);
  }
  CHECK_FALSE(store.IsGood());
}
