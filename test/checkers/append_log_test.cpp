// Logs that must be refused, each for its reason, and logs that must not.
#include "append_log.hpp"

#include <functional>
#include <set>
#include <utility>

#include "catch.hpp"

using namespace kommander::checkers;

namespace {

// Eight lines of one partition on three nodes, acknowledged but for one whose answer was lost and
// one that was refused; indexes have gaps, as other entries lie between.
struct Cluster {
  std::vector<Append> appends;
  std::vector<AppliedLog> logs;

  Cluster() {
    for (std::uint64_t i = 1; i <= 8; ++i) {
      Append append;
      append.partition = 1;
      append.data = "line " + std::to_string(i);
      append.call = static_cast<std::int64_t>(i) * 10;
      append.outcome = Outcome::kOk;
      append.end = append.call + 5;
      append.index = i * 2;
      appends.push_back(append);
    }
    MakeUnknown(5);
    Append refused;
    refused.partition = 1;
    refused.data = "refused";
    refused.outcome = Outcome::kFailed;
    appends.push_back(refused);
    for (std::uint32_t node = 1; node <= 3; ++node) {
      AppliedLog log;
      log.node = node;
      log.partition = 1;
      for (std::uint64_t i = 1; i <= 8; ++i) {
        log.lines.push_back({i * 2, 1 + i / 4, "line " + std::to_string(i)});
      }
      logs.push_back(log);
    }
  }
  void MakeUnknown(std::size_t line) {
    Append& append = appends[line - 1];
    append.outcome = Outcome::kUnknown;
    append.end = kOpenEnd;
    append.index = 0;
  }
  void OnEveryNode(const std::function<void(std::vector<AppliedLine>&)>& change) {
    for (AppliedLog& log : logs) change(log.lines);
  }
  [[nodiscard]] std::set<LogFlaw> Flaws() const {
    REQUIRE_FALSE(FindFlaw(appends, logs));
    std::set<LogFlaw> flaws;
    for (const LogFinding& finding : CheckAppendLogs(appends, logs)) {
      UNSCOPED_INFO(ToString(finding.flaw) << ": " << finding.what);
      flaws.insert(finding.flaw);
    }
    return flaws;
  }
};

using Lines = std::vector<AppliedLine>;
using Change = std::function<void(Cluster&)>;

const std::pair<const char*, Change> kGood[] = {
    {"as it is", [](Cluster&) {}},
    {"the unanswered line has no effect",
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) { lines.erase(lines.begin() + 4); }); }},
    {"the unanswered line takes effect last",
     [](Cluster& c) {
       c.OnEveryNode([](Lines& lines) {
         AppliedLine late = lines[4];
         late.index = 99;
         late.term = 9;
         lines.erase(lines.begin() + 4);
         lines.push_back(late);
       });
     }},
    {"nobody has appended",
     [](Cluster& c) {
       c.appends.clear();
       c.OnEveryNode([](Lines& lines) { lines.clear(); });
     }},
    {"nobody was answered",
     [](Cluster& c) {
       for (std::size_t line = 1; line <= 8; ++line) c.MakeUnknown(line);
     }},
    {"nobody was answered, nothing took effect",
     [](Cluster& c) {
       for (std::size_t line = 1; line <= 8; ++line) c.MakeUnknown(line);
       c.OnEveryNode([](Lines& lines) { lines.clear(); });
     }},
    {"two overlap and swap places",
     [](Cluster& c) {
       std::swap(c.appends[1].index, c.appends[2].index);
       c.appends[2].call = c.appends[1].end - 1;
       c.OnEveryNode([](Lines& lines) { std::swap(lines[1].data, lines[2].data); });
     }},
    {"terms grow", [](Cluster& c) { c.OnEveryNode([](Lines& lines) { lines.back().term = 70; }); }},
    {"one node only", [](Cluster& c) { c.logs.resize(1); }},
    {"another partition beside it",
     [](Cluster& c) {
       const std::vector<AppliedLog> logs = c.logs;
       for (AppliedLog log : logs) {
         log.partition = 2;
         log.lines.resize(1);
         c.logs.push_back(log);
       }
       Append append = c.appends[0];
       append.partition = 2;
       c.appends.push_back(append);
     }},
    {"a call at the instant of another's answer may come before it",
     [](Cluster& c) {
       std::swap(c.appends[1].index, c.appends[2].index);
       c.appends[2].call = c.appends[1].end;
       c.OnEveryNode([](Lines& lines) { std::swap(lines[1].data, lines[2].data); });
     }},
};

struct Bad {
  const char* name;
  LogFlaw flaw;
  Change change;
};

const Bad kBad[] = {
    {"a line is missing on one node", LogFlaw::kHole,
     [](Cluster& c) { c.logs[1].lines.erase(c.logs[1].lines.begin() + 2); }},
    {"a line is missing everywhere", LogFlaw::kHole,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) { lines.erase(lines.begin()); }); }},
    {"the end is missing on one node", LogFlaw::kLostTail,
     [](Cluster& c) { c.logs[2].lines.resize(5); }},
    {"the end is missing everywhere", LogFlaw::kLostTail,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) { lines.resize(7); }); }},
    {"a node has nothing", LogFlaw::kLostTail, [](Cluster& c) { c.logs[0].lines.clear(); }},
    {"a line is applied twice in a row", LogFlaw::kDuplicate,
     [](Cluster& c) {
       c.logs[0].lines.push_back({17, 3, "line 8"});
     }},
    {"an early line comes again late, everywhere", LogFlaw::kDuplicate,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) {
                        lines.push_back({40, 5, "line 1"});
                      }); }},
    {"the unanswered line is there twice", LogFlaw::kDuplicate,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) {
                        lines.push_back({40, 5, "line 5"});
                      }); }},
    {"two were promised one index", LogFlaw::kMisplaced,
     [](Cluster& c) { c.appends[3].index = c.appends[2].index; }},
    {"a line is elsewhere than was told", LogFlaw::kMisplaced,
     [](Cluster& c) { c.appends[7].index = 17; }},
    {"an acknowledged line was overwritten", LogFlaw::kHole,
     [](Cluster& c) {
       c.OnEveryNode([](Lines& lines) {
         lines[2].data = "line 5";
         lines.erase(lines.begin() + 4);
       });
     }},
    {"a refused line is there", LogFlaw::kPhantom,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) {
                        lines.push_back({40, 5, "refused"});
                      }); }},
    {"a line from nowhere", LogFlaw::kPhantom,
     [](Cluster& c) {
       c.logs[1].lines.push_back({40, 5, "never sent"});
     }},
    {"a line of another partition", LogFlaw::kPhantom,
     [](Cluster& c) {
       c.appends[8].partition = 2;
       c.appends[8].outcome = Outcome::kUnknown;
       for (std::uint32_t node = 1; node <= 3; ++node) c.logs.push_back({node, 2, {}});
       c.OnEveryNode([](Lines& lines) { lines.push_back({40, 5, "refused"}); });
     }},
    {"nodes differ in the data", LogFlaw::kDivergence,
     [](Cluster& c) { c.logs[1].lines[4].data = "else"; }},
    {"nodes differ in the term", LogFlaw::kDivergence,
     [](Cluster& c) { c.logs[2].lines[7].term = 4; }},
    {"nodes differ in the place of the unanswered line", LogFlaw::kDivergence,
     [](Cluster& c) { c.logs[0].lines[4].index = 9; }},
    {"only one node has the unanswered line", LogFlaw::kDivergence,
     [](Cluster& c) {
       c.logs[0].lines.erase(c.logs[0].lines.begin() + 4);
       c.logs[2].lines.erase(c.logs[2].lines.begin() + 4);
     }},
    {"indexes do not ascend", LogFlaw::kOrder,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) { std::swap(lines[3], lines[4]); }); }},
    {"an index comes twice", LogFlaw::kOrder,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) { lines[4].index = 8; }); }},
    {"terms descend", LogFlaw::kOrder,
     [](Cluster& c) { c.OnEveryNode([](Lines& lines) { lines[4].term = 1; }); }},
    {"a later line stands before one that was acknowledged", LogFlaw::kOrder,
     [](Cluster& c) {
       std::swap(c.appends[1].index, c.appends[2].index);
       c.OnEveryNode([](Lines& lines) { std::swap(lines[1].data, lines[2].data); });
     }},
    {"an unanswered line stands before what was acknowledged when it was sent", LogFlaw::kOrder,
     [](Cluster& c) { c.appends[4].call = 1000; }},
};

}  // namespace

TEST_CASE("good logs are accepted") {
  for (const auto& [name, change] : kGood) {
    Cluster cluster;
    change(cluster);
    INFO(name);
    CHECK(cluster.Flaws().empty());
  }
}

TEST_CASE("bad logs are refused, for the right reason") {
  for (const Bad& bad : kBad) {
    Cluster cluster;
    bad.change(cluster);
    INFO(bad.name);
    CHECK(cluster.Flaws().contains(bad.flaw));
  }
}

TEST_CASE("what is no input is refused as such") {
  const auto flaw = [](const Change& change) {
    Cluster cluster;
    change(cluster);
    return FindFlaw(cluster.appends, cluster.logs).has_value();
  };
  CHECK_FALSE(flaw([](Cluster&) {}));
  CHECK(flaw([](Cluster& c) { c.appends[1].data = c.appends[0].data; }));
  CHECK(flaw([](Cluster& c) { c.appends[0].index = 0; }));
  CHECK(flaw([](Cluster& c) { c.appends[0].end = kOpenEnd; }));
  CHECK(flaw([](Cluster& c) { c.appends[0].end = c.appends[0].call - 1; }));
  CHECK(flaw([](Cluster& c) { c.logs[0].node = 2; }));
  CHECK(flaw([](Cluster& c) { c.logs.clear(); }));
  CHECK(flaw([](Cluster& c) { c.logs.push_back({1, 2, {}}); }));
}

TEST_CASE("of one flaw the first few are told") {
  Cluster cluster;
  cluster.logs[0].lines.clear();
  CHECK(CheckAppendLogs(cluster.appends, cluster.logs).size() <= 10);
}
