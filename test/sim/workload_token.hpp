// The completion token of a client's call, and what an answer says.
#pragma once

#include <type_traits>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>

#include "workload.hpp"

namespace kommander::sim {

namespace asio = boost::asio;

// What an answer has of a place in the log.
struct AnswerPlace {
  AnswerPlace(const ReplicateResult& result)
      : index(result.index), term(result.term), ticket(result.ticket), leader(result.leader) {}
  AnswerPlace(const ReadBarrierResult& result) : index(result.index) {}
  AnswerPlace(const ClientSession& session) : index(session.id().value()) {}
  AnswerPlace(LogIndex place) : index(place) {}
  AnswerPlace(const NodeId&) {}
  AnswerPlace(const detail::NoResult&) {}
  LogIndex index;
  Term term;
  Ticket ticket;
  NodeId leader;
};

template <class Result>
auto Workload::Token(Open& open) {
  const asio::cancellation_slot slot =
      open.cancel ? open.cancel->slot() : asio::cancellation_slot();
  const std::uint64_t id = open.operation.id;
  if constexpr (std::is_same_v<Result, detail::NoResult>) {
    return asio::bind_cancellation_slot(
        slot, asio::bind_executor(process_.get_executor(), [this, id](error_code error) {
          Finish(id, error, detail::NoResult());
        }));
  } else {
    return asio::bind_cancellation_slot(
        slot,
        asio::bind_executor(process_.get_executor(), [this, id](error_code error, Result result) {
          Finish(id, error, result);
        }));
  }
}

template <class Result>
void Workload::Finish(std::uint64_t id, error_code error, const Result& result) {
  Close(id, error, AnswerPlace(result));
}

}  // namespace kommander::sim
