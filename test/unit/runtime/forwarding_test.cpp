// What a leader takes from another node's callers, and what it does not believe that they asked.
#include "runtime/forwarding.hpp"

#include <boost/asio/io_context.hpp>

#include "catch.hpp"
#include "codec/entry_body.hpp"

namespace kommander::runtime {
namespace {

constexpr std::string_view kReserved = "_Reserved";

bool IsForCallers(ByteSpan command) { return AsText(command) == "allowed"; }

struct Leader {
  Leader() {
    services->executor = context.get_executor();
    services->system_type = kReserved;
    services->is_callers_command = &IsForCallers;
  }
  std::optional<ProposeEvent> Take(PartitionId partition, EntryKind kind,
                                   const std::vector<codec::EntryBodyItem>& items) {
    Message message;
    message.partition = partition;
    message.from = NodeId(2);
    ForwardRequest request;
    request.kind = kind;
    REQUIRE_FALSE(codec::EncodeEntryBody(items, request.body, {}));
    message.body = request;
    return ToProposal(services, partition, message, Instant());
  }
  boost::asio::io_context context;
  std::shared_ptr<NodeServices> services = std::make_shared<NodeServices>(NodeId(1));
};

TEST_CASE("of the library's own commands only those that callers may give come from elsewhere") {
  Leader leader;
  const codec::EntryBodyItem text("Text", AsBytes("text"));
  const codec::EntryBodyItem allowed(kReserved, AsBytes("allowed"));
  const codec::EntryBodyItem other(kReserved, AsBytes("other"));
  constexpr auto kKind = EntryKind::kApplication;

  const auto plain = leader.Take(kSystemPartition, kKind, {text});
  REQUIRE(plain);
  CHECK_FALSE(plain->is_judged);
  const auto command = leader.Take(kSystemPartition, kKind, {allowed});
  REQUIRE(command);
  CHECK(command->is_judged);
  CHECK(command->count == 1);

  CHECK_FALSE(leader.Take(kSystemPartition, kKind, {other}));
  CHECK_FALSE(leader.Take(kSystemPartition, kKind, {allowed, allowed}));
  CHECK_FALSE(leader.Take(kSystemPartition, kKind, {text, allowed}));
  CHECK_FALSE(leader.Take(kSystemPartition, EntryKind::kPrepared, {allowed}));
  CHECK_FALSE(leader.Take(PartitionId(1), kKind, {allowed}));
  leader.services->is_callers_command = nullptr;
  CHECK_FALSE(leader.Take(kSystemPartition, kKind, {allowed}));
}

}  // namespace
}  // namespace kommander::runtime
