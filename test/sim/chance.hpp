// The generator of the simulation is the one that its users are given.
#pragma once

#include <kommander/testing/random.hpp>

namespace kommander::sim {

using Chance = testing::Random;

}  // namespace kommander::sim
