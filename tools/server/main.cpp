// kommander-server: a node by itself, with every part to choose. It has no application: see
// examples/ for that; what it is good for is to try a cluster, its settings and its failures.
#include <exception>
#include <iostream>

#include "options.hpp"
#include "server.hpp"

int main(int argc, char** argv) {
  try {
    kommander::server::Options options;
    int exit_code = 0;
    if (kommander::server::ParseOptions(argc, argv, options, exit_code) ==
        kommander::server::Parsed::kEnd) {
      return exit_code;
    }
    kommander::server::Serve(options);
    return 0;
  } catch (const std::exception& problem) {
    std::cerr << "kommander-server: " << problem.what() << std::endl;
    return 1;
  }
}
