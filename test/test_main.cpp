// The main function of every test program. Catch2 3 brings its own.
#ifndef KOMMANDER_CATCH2_V3
#define CATCH_CONFIG_MAIN
#endif
#include "catch.hpp"
