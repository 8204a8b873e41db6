// One core among liars: its peers are members and send whatever an input spells out, plausible or
// absurd, while its own disk, applier and callers keep their word. Safety cannot be promised
// against a member that lies; that nothing asserts, overflows or grows without bound can. Driven by
// fuzzer and unit test alike.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <vector>

#include "fuzz/choices.hpp"
#include "raft/core.hpp"
#include "unit/raft/test_disk.hpp"

namespace kommander::raft::test {

class Nonsense {
 public:
  // `input` must outlive the object.
  explicit Nonsense(ByteSpan input);
  // Until the input ends; then the core is stopped and owes nobody an answer. What goes wrong is
  // told to the assertion handler.
  void Run();

 private:
  void Act();
  void Restart();
  void Step(Input input);
  void Take();
  void Request(Input input);
  void ActLocally();
  void AnswerSnapshot();
  void CompactSome();

  [[nodiscard]] Message AnyMessage();
  [[nodiscard]] MessageBody AnyBody(Term term);
  [[nodiscard]] AppendRequest AnyAppend(Term term);
  [[nodiscard]] NodeId AnyMember();
  [[nodiscard]] LogIndex AnyIndex();
  [[nodiscard]] Term AnyTerm();
  [[nodiscard]] Term TermNear(LogIndex index);
  [[nodiscard]] kommander::Configuration AnyConfiguration();

  fuzz::Choices choices_;
  CoreOptions options_;
  TestDisk disk_;
  std::unique_ptr<Core> core_;
  Instant now_;
  Effects effects_;
  std::deque<ApplyItem> applier_;
  std::vector<Fetch> fetches_;
  std::set<std::uint64_t> waiting_;
  std::uint64_t next_request_ = 1;
};

}  // namespace kommander::raft::test
