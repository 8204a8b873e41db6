// The routes of the service and what a node does for each of them.
//
//   PUT, GET, DELETE /kv/{key}     POST /kv/{key}/cas
//   POST, GET /log/{partition}     GET /status
//
// A write runs on the leader of its partition; any other node passes it on. A read runs here, after
// a read barrier, which makes it linearizable without asking the leader for the bytes.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/awaitable.hpp>

#include <kommander/ids.hpp>
#include <kommander/payload.hpp>
#include <kommander/raft_manager.hpp>

#include "http.hpp"
#include "kv_store.hpp"
#include "peer_client.hpp"

namespace kv {

class KvApi {
 public:
  KvApi(kommander::RaftManager& raft, KvStore& store, PeerClient& peers,
        std::chrono::milliseconds request_timeout)
      : raft_(raft), store_(store), peers_(peers), request_timeout_(request_timeout) {}

  // Never throws; whatever happens has an answer.
  boost::asio::awaitable<Response> Handle(RequestPointer request);

 private:
  // Where a write landed, or the answer of the leader or of a failure.
  struct Written {
    kommander::LogIndex index;
    std::optional<Response> answer;
  };
  boost::asio::awaitable<Response> Route(RequestPointer request);
  boost::asio::awaitable<Response> RouteKey(RequestPointer request, std::string key,
                                            std::string_view query, bool is_cas);
  boost::asio::awaitable<Response> RouteLog(RequestPointer request, std::string_view partition,
                                            std::string_view query);

  boost::asio::awaitable<Response> Get(std::string key, bool local);
  boost::asio::awaitable<Response> Put(RequestPointer request, std::string key);
  boost::asio::awaitable<Response> Delete(RequestPointer request, std::string key);
  boost::asio::awaitable<Response> CompareAndSwap(RequestPointer request, std::string key);
  boost::asio::awaitable<Response> AppendLine(RequestPointer request,
                                              kommander::PartitionId partition);
  Response Lines(kommander::PartitionId partition, std::string_view query) const;
  Response Status() const;

  // Replicates here or at the leader, and waits for a leader while none is known.
  boost::asio::awaitable<Written> Replicate(RequestPointer request,
                                            kommander::PartitionId partition, std::string_view type,
                                            kommander::Payload payload);
  // One attempt to write on this node. None: it had no effect and may be tried again.
  boost::asio::awaitable<std::optional<Written>> ReplicateHere(kommander::PartitionId partition,
                                                               std::string_view type,
                                                               kommander::Payload payload,
                                                               std::chrono::nanoseconds timeout);
  // No error once this node's state holds every write acknowledged before the call.
  boost::asio::awaitable<kommander::error_code> Barrier(kommander::PartitionId partition);
  boost::asio::awaitable<void> Pause();

  kommander::RaftManager& raft_;
  KvStore& store_;
  PeerClient& peers_;
  std::chrono::milliseconds request_timeout_;
};

}  // namespace kv
