// Each node in a process of its own, as in production: the parent asks and adds up.
#include <iostream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <utility>

#include <kommander/steady_clock.hpp>

#include "bench_node.hpp"
#include "child_process.hpp"
#include "cluster.hpp"

namespace kommander::bench {
namespace {

constexpr auto kStartTimeout = std::chrono::seconds(150);
const std::string kLoadCommand = "load ";
constexpr auto kAnswerTimeout = std::chrono::seconds(30);

class ProcessCluster final : public Cluster {
 public:
  ProcessCluster(const Options& options, const std::string& directory) {
    const std::vector<std::uint16_t> ports = FreePorts(options.nodes);
    for (std::uint32_t node = 1; node <= options.nodes; ++node) {
      children_.push_back(std::make_unique<ChildProcess>(
          ChildArguments(options, node, ports, directory + "/node" + std::to_string(node))));
    }
  }

  void Start() override { Ask("start", kStartTimeout); }
  void StartLoad(Call call) override {
    Ask(kLoadCommand + std::string(ToString(call)), kAnswerTimeout);
  }
  void BeginMeasuring() override { Ask("begin", kAnswerTimeout); }
  std::vector<NodeReport> EndMeasuring() override {
    return Parse<NodeReport>(Ask("end", kAnswerTimeout));
  }
  void StopLoad() override { Ask("unload", kAnswerTimeout); }
  std::vector<ProcessUsage> Usage() override {
    std::vector<ProcessUsage> usage = Parse<ProcessUsage>(Ask("usage", kAnswerTimeout));
    usage.push_back(CurrentUsage());
    return usage;
  }
  void Stop() override { Ask("stop", kAnswerTimeout); }

 private:
  // All children work at the same time.
  std::vector<std::string> Ask(const std::string& command, std::chrono::milliseconds timeout) {
    for (const auto& child : children_) child->Send(command);
    std::vector<std::string> answers;
    for (const auto& child : children_) answers.push_back(child->Receive(timeout));
    return answers;
  }
  template <class Value>
  static std::vector<Value> Parse(const std::vector<std::string>& answers) {
    std::vector<Value> values;
    for (const std::string& answer : answers) {
      std::istringstream in(answer);
      values.emplace_back().Read(in);
      if (!in) throw std::runtime_error("a node's answer cannot be read");
    }
    return values;
  }
  std::vector<std::unique_ptr<ChildProcess>> children_;
};

void Execute(BenchNode& node, const std::string& command, std::ostream& answer) {
  if (command == "start") {
    node.Join();
    node.AwaitReady();
  } else if (command.rfind(kLoadCommand, 0) == 0) {
    node.StartLoad(CallOf(command.substr(kLoadCommand.size())));
  } else if (command == "begin") {
    node.BeginMeasuring();
  } else if (command == "end") {
    node.EndMeasuring().Write(answer);
  } else if (command == "unload") {
    node.StopLoad();
  } else if (command == "usage") {
    CurrentUsage().Write(answer);
  } else if (command == "stop") {
    node.Stop();
  } else {
    throw std::runtime_error("unknown command " + command);
  }
}

}  // namespace

std::unique_ptr<Cluster> MakeProcessCluster(const Options& options, const std::string& directory) {
  return std::make_unique<ProcessCluster>(options, directory);
}

int RunChild(const Options& options) {
  try {
    BenchNode node(options, NodeId(options.child_node), LoopbackMembers(options.child_ports),
                   MakeSocketTransport(options, MakeSteadyClock()), options.data_directory);
    for (std::string command; std::getline(std::cin, command);) {
      std::ostringstream answer;
      Execute(node, command, answer);
      std::cout << "ok " << answer.str() << std::endl;
    }
    return 0;
  } catch (const std::exception& problem) {
    std::cout << problem.what() << std::endl;
    return 1;
  }
}

}  // namespace kommander::bench
