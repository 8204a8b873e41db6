// Everything of kommander-testing: the deterministic world in which users run their own
// applications under seeds. Begin with testing/scenario.hpp. Beside it, for tests on real threads,
// a log with a broken disk: testing/faulty_wal.hpp.
#pragma once

#include <kommander/testing/client.hpp>
#include <kommander/testing/faulty_wal.hpp>
#include <kommander/testing/node.hpp>
#include <kommander/testing/options.hpp>
#include <kommander/testing/random.hpp>
#include <kommander/testing/result.hpp>
#include <kommander/testing/run.hpp>
#include <kommander/testing/scenario.hpp>
