// What a step did, in words: the lines below a command in a golden script.
#pragma once

#include <string>
#include <vector>

#include "unit/raft/test_cluster.hpp"

namespace kommander::raft::test {

[[nodiscard]] std::string Describe(const Message& message);
[[nodiscard]] std::string Describe(const WriteUnit& unit);
[[nodiscard]] std::string Describe(const Completion& completion);
[[nodiscard]] std::string Describe(const Configuration& configuration);
// One line per effect, in the order in which a runtime executes them.
[[nodiscard]] std::vector<std::string> DescribeStep(const TestNode& node, const CoreStatus& before,
                                                    const Effects& effects);

}  // namespace kommander::raft::test
