// kommander-kv: a linearizable key/value service, as an example of how one is written with the
// library. Read on in kv_service.cpp (how the parts meet), kv_store.cpp (the state machine) and
// kv_api.cpp (the routes: how a write and a read go).
#include <exception>
#include <iostream>
#include <optional>

#include "kv_service.hpp"
#include "options.hpp"

int main(int argc, char** argv) {
  int exit_code = 0;
  const std::optional<kv::Options> options = kv::ParseOptions(argc, argv, exit_code);
  if (!options) return exit_code;
  try {
    return kv::KvService(*options).Run();
  } catch (const std::exception& problem) {
    std::cerr << "kommander-kv: " << problem.what() << std::endl;
    return 1;
  }
}
