// From a method and a target to the answer of one route.
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

#include <kommander/raft_routes.hpp>
#include <kommander/rest_transport.hpp>

#include "rest/answers.hpp"
#include "rest/target.hpp"
#include "rest/transport_service.hpp"

namespace kommander {
namespace {

using rest::ErrorAnswer;
using rest::Target;

constexpr std::string_view kClusterPath = "/v1/cluster";
constexpr std::string_view kPartitionsPath = "/v1/partitions";
constexpr std::string_view kPartitionPath = "/v1/partitions/";
constexpr std::string_view kHealthPath = "/healthz";
constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::uint32_t kPageMax = 1000;
constexpr std::uint32_t kPageDefault = 100;

bool IsOfPartition(std::string_view path) noexcept {
  return path.substr(0, kPartitionPath.size()) == kPartitionPath;
}

RestAnswer NotOneOf(std::string_view names) {
  return ErrorAnswer(400, RaftErrc::InvalidArgument, names);
}

RestAnswer Partitions(const RaftManager& raft, Target target) {
  std::optional<std::uint32_t> after;
  std::optional<std::uint32_t> limit;
  std::string_view name;
  std::string_view value;
  while (target.NextParameter(name, value)) {
    auto& parameter = name == "limit" ? limit : after;
    if ((name != "limit" && name != "after") || parameter) {
      return NotOneOf("the parameters are after and limit, each at most once");
    }
    parameter = rest::ParseNumber(value, name == "limit" ? kPageMax : kPartitionIdMax);
    if (!parameter || (name == "limit" && *parameter == 0)) {
      return NotOneOf("after is a partition's id, 0 to 65535, limit is 1 to 1000");
    }
  }
  return rest::PartitionsAnswer(raft, after, limit.value_or(kPageDefault));
}

RestAnswer Partition(const RaftManager& raft, const Target& target) {
  const auto id = rest::ParseNumber(target.path.substr(kPartitionPath.size()), kPartitionIdMax);
  if (!id) return NotOneOf("a partition's id is a number, 0 to 65535");
  return rest::PartitionAnswer(raft, *id);
}

RestAnswer Health(const RaftManager& raft, Target target) {
  bool is_readiness = false;
  std::string_view name;
  std::string_view value;
  while (target.NextParameter(name, value)) {
    if (name != "ready" || !(value.empty() || value == "1") || is_readiness) {
      return NotOneOf("the one parameter is ready, without a value or with 1");
    }
    is_readiness = true;
  }
  return rest::HealthAnswer(raft, is_readiness);
}

RestAnswer Get(const RaftManager& raft, const Target& target) {
  if (target.path == kPartitionsPath) return Partitions(raft, target);
  if (target.path == kHealthPath) return Health(raft, target);
  if (!target.query.empty()) return NotOneOf("this route has no parameters");
  if (target.path == kClusterPath) return rest::ClusterAnswer(raft);
  if (target.path == kMetricsPath) return rest::MetricsAnswer(raft);
  return Partition(raft, target);
}

}  // namespace

RaftRoutes::RaftRoutes(const RaftManager& raft) : executor_(raft.get_executor()), raft_(&raft) {}

RaftRoutes::RaftRoutes(const RaftManager& raft, const RestTransport& transport)
    : executor_(raft.get_executor()), raft_(&raft), peers_(transport.service_) {}

bool RaftRoutes::Owns(std::string_view target) const noexcept {
  const std::string_view path = Target(target).path;
  return path == kClusterPath || path == kPartitionsPath || path == kHealthPath ||
         path == kMetricsPath || IsOfPartition(path) || (peers_ && peers_->Owns(target));
}

std::size_t RaftRoutes::BodyBytesMax(const RestRequest& request) const noexcept {
  return peers_ && peers_->Owns(request.target) ? peers_->BodyBytesMax(request) : 0;
}

void RaftRoutes::Handle(RestRequest request, std::function<void(RestAnswer)> done) const {
  if (peers_ && peers_->Owns(request.target)) {
    return peers_->Handle(std::move(request), std::move(done));
  }
  const bool is_head = request.method == "HEAD";
  RestAnswer answer;
  if (!Owns(request.target)) {
    answer = ErrorAnswer(404, "NotFound", "there is no such route");
  } else if (request.method != "GET" && !is_head) {
    answer = ErrorAnswer(405, "MethodNotAllowed", "this route takes GET and HEAD");
    answer.allow = "GET, HEAD";
  } else {
    answer = Get(*raft_, Target(request.target));
  }
  answer.is_head = is_head;
  done(std::move(answer));
}

void RaftRoutes::Start(RestRequest request, detail::BoolOperation operation,
                       std::function<void(RestAnswer)> fill) const {
  const auto complete = [operation](bool is_handled) {
    operation->result = is_handled;
    boost::asio::post(operation->executor(), [operation] { operation->Invoke(); });
  };
  if (!Owns(request.target)) return complete(false);
  Handle(std::move(request), [complete, fill = std::move(fill)](RestAnswer answer) {
    fill(std::move(answer));
    complete(true);
  });
}

}  // namespace kommander
