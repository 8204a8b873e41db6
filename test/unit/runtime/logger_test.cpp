// Who reads a log wants to know that something goes on, not to read it a thousand times.
#include "runtime/logger.hpp"

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.hpp"
#include "scripted_wal.hpp"

namespace kommander::runtime {
namespace {

using namespace std::chrono_literals;

struct Told {
  std::shared_ptr<test::ManualClock> clock = std::make_shared<test::ManualClock>();
  Logger logger{NodeId(4)};
  std::vector<std::string> lines;

  explicit Told(LogLevel least = LogLevel::kInfo, Duration interval = 1s) {
    logger.SetSink([this](const LogRecord& record) { lines.push_back(ToLogfmt(record)); }, least,
                   interval, clock);
  }
};

TEST_CASE("a record has its node, its partition and its fields") {
  Told told;
  told.logger.Log(LogLevel::kInfo, "became_leader", PartitionId(7),
                  {{"term", std::uint64_t{3}}, {"role", std::string_view("leader")}});
  told.logger.Log(LogLevel::kError, "node_problem", std::nullopt, {});
  CHECK(told.lines == std::vector<std::string>{
                          "level=info event=became_leader node=4 partition=7 term=3 role=leader",
                          "level=error event=node_problem node=4"});
}

TEST_CASE("one event of one partition is told once in an interval, and what was left out is said") {
  Told told;
  for (int i = 0; i < 5; ++i) told.logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  CHECK(told.lines.size() == 1);
  told.logger.Log(LogLevel::kInfo, "campaign", PartitionId(2));
  told.logger.Log(LogLevel::kInfo, "leader", PartitionId(1));
  CHECK(told.lines.size() == 3);
  told.clock->Advance(999ms);
  told.logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  CHECK(told.lines.size() == 3);
  told.clock->Advance(1ms);
  told.logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  REQUIRE(told.lines.size() == 4);
  CHECK(told.lines.back() == "level=info event=campaign node=4 partition=1 suppressed=5");
  told.clock->Advance(1s);
  told.logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  CHECK(told.lines.back() == "level=info event=campaign node=4 partition=1");
}

TEST_CASE("each aspect of an event is told by itself") {
  Told told;
  const auto log = [&](std::string_view bound) {
    told.logger.LogAspect(LogLevel::kInfo, "pushed_back", bound, PartitionId(1),
                          {{"bound", bound}});
  };
  for (int i = 0; i < 3; ++i) log("queued");
  log("apply_lag");
  told.clock->Advance(1s);
  log("queued");
  log("apply_lag");
  CHECK(told.lines ==
        std::vector<std::string>{
            "level=info event=pushed_back node=4 partition=1 bound=queued",
            "level=info event=pushed_back node=4 partition=1 bound=apply_lag",
            "level=info event=pushed_back node=4 partition=1 bound=queued suppressed=2",
            "level=info event=pushed_back node=4 partition=1 bound=apply_lag"});
}

TEST_CASE("what is below the level that was asked for is not made") {
  Told told(LogLevel::kWarning);
  CHECK_FALSE(told.logger.Wants(LogLevel::kInfo));
  CHECK(told.logger.Wants(LogLevel::kWarning));
  told.logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  CHECK(told.lines.empty());
  Logger silent{NodeId(1)};
  CHECK_FALSE(silent.Wants(LogLevel::kError));
  silent.Log(LogLevel::kError, "storage_failed", PartitionId(1));
}

TEST_CASE("a sink that throws hurts nobody") {
  Logger logger{NodeId(1)};
  int calls = 0;
  logger.SetSink(
      [&](const LogRecord&) {
        ++calls;
        throw std::runtime_error("no space for logs");
      },
      LogLevel::kInfo, Duration::zero(), std::make_shared<test::ManualClock>());
  logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  logger.Log(LogLevel::kInfo, "campaign", PartitionId(1));
  CHECK(calls == 2);
}

TEST_CASE("what is remembered is bounded") {
  Told told;
  for (std::uint32_t i = 0; i < 3 * Logger::kPairsMax; ++i) {
    told.logger.Log(LogLevel::kInfo, "leader", PartitionId(i));
  }
  CHECK(told.lines.size() == 3 * Logger::kPairsMax);
  CHECK(told.logger.pairs() <= Logger::kPairsMax);
}

}  // namespace
}  // namespace kommander::runtime
