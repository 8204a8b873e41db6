// Today's values as those of the frozen version 1, field by field: what tests compare with.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <kommander/messages.hpp>
#include <kommander/transport.hpp>

#include "protocol/frozen_v1/frozen_v1.hpp"

namespace kommander::codec::testing {

inline frozen_v1::Ticket Freeze(const Ticket& ticket) {
  return {ticket.physical_ms(), ticket.counter(), ticket.node().value()};
}

inline frozen_v1::Entry Freeze(const Entry& entry) {
  return {entry.term.value(), entry.index.value(), Freeze(entry.ticket),
          static_cast<std::uint8_t>(entry.kind), std::string(entry.body.text())};
}

struct FreezeBody {
  frozen_v1::Message& out;
  void operator()(const VoteRequest& m) const {
    out.flags = static_cast<std::uint8_t>((m.pre_vote ? 1 : 0) | (m.transfer ? 2 : 0));
    out.numbers = {m.last_index.value(), m.last_term.value(), m.admits.value()};
  }
  void operator()(const VoteReply& m) const {
    out.flags = static_cast<std::uint8_t>((m.pre_vote ? 1 : 0) | (m.granted ? 2 : 0));
  }
  void operator()(const AppendRequest& m) const {
    out.numbers = {m.previous_index.value(), m.previous_term.value(), m.commit.value()};
    for (const auto& entry : m.entries) out.entries.push_back(Freeze(entry));
  }
  void operator()(const AppendReply& m) const {
    out.flags = m.accepted ? 1 : 0;
    out.numbers = {m.matched.value(), m.rejected.value(), m.hint_index.value(),
                   m.hint_term.value()};
  }
  void operator()(const Heartbeat& m) const { out.numbers = {m.commit.value(), m.round}; }
  void operator()(const HeartbeatReply& m) const { out.numbers = {m.round, m.durable.value()}; }
  void operator()(const ReadIndexRequest& m) const { out.numbers = {m.request}; }
  void operator()(const ReadIndexReply& m) const {
    out.flags = m.confirmed ? 1 : 0;
    out.numbers = {m.request, m.index.value()};
  }
  void operator()(const TransferRequest&) const {}
  void operator()(const SnapshotOffer& m) const {
    out.numbers = {m.info.index.value(), m.info.term.value(), m.info.bytes};
    out.bytes = AsText(m.info.sha256);
  }
  void operator()(const SnapshotChunk& m) const {
    out.numbers = {m.index.value(), m.offset};
    out.bytes = m.bytes.text();
  }
  void operator()(const SnapshotReply& m) const {
    out.flags = static_cast<std::uint8_t>(m.state);
    out.numbers = {m.index.value(), m.received};
  }
  void operator()(const ForwardRequest& m) const {
    out.flags = m.await_apply ? 1 : 0;
    out.numbers = {m.number, m.patience_ms, m.expected_generation.value()};
    out.words = {static_cast<std::uint32_t>(m.kind)};
    out.bytes = m.body.text();
  }
  void operator()(const ForwardReply& m) const {
    out.numbers = {m.number, m.index.value(), m.term.value()};
    out.words = {m.error, m.leader.value(), m.count};
    out.ticket = Freeze(m.ticket);
  }
};

inline frozen_v1::Message Freeze(const Message& message) {
  frozen_v1::Message out;
  out.type = static_cast<std::uint8_t>(message.body.index() + 1);
  out.partition = message.partition.value();
  out.term = message.term.value();
  out.stamp = message.stamp.word();
  std::visit(FreezeBody{out}, message.body);
  return out;
}

// All of one sender and one receiver.
inline frozen_v1::Batch Freeze(const std::vector<Message>& messages) {
  frozen_v1::Batch batch{messages.front().from.value(), messages.front().to.value(), {}};
  for (const auto& message : messages) batch.messages.push_back(Freeze(message));
  return batch;
}

inline frozen_v1::Hello Freeze(const Hello& hello, NodeId to) {
  frozen_v1::Hello out;
  out.node = hello.node.value();
  out.to = to.value();
  out.incarnation = hello.incarnation.value();
  out.version_min = hello.version_min;
  out.version_max = hello.version_max;
  out.knows_roster = hello.knows_roster;
  out.digest = hello.bootstrap_digest;
  out.pin = hello.known_incarnation.value();
  out.nonce = hello.nonce;
  out.cluster = hello.cluster_id;
  return out;
}

// The one frame that the frozen version makes of these messages.
inline std::string FrozenFrame(const std::vector<Message>& messages, std::uint64_t sequence = 0) {
  const frozen_v1::Batch batch = Freeze(messages);
  return frozen_v1::EncodeFrame(
      {frozen_v1::KindOf(batch.messages), 0, sequence, frozen_v1::Encode(batch)});
}

}  // namespace kommander::codec::testing
