// Runs every target without a fuzzer: on its seeds, on simple mutations of them, and on the files
// of a corpus.
//   fuzz-replay [CORPUS]              all targets; CORPUS/<target>/* are run as well
//   fuzz-replay --list                their names
//   fuzz-replay --seeds NAME FOLDER   writes the seeds of one target, for a fuzzer to begin from
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "target.hpp"

namespace {

namespace fs = std::filesystem;
using kommander::AsBytes;
using kommander::fuzz::Target;

constexpr std::size_t kMutationsPerSeed = 200;

std::string ReadFile(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// A flipped bit, a changed byte, a cut, a doubled piece; the same in every run.
std::string Mutate(std::string bytes, std::mt19937_64& random) {
  for (std::uint64_t changes = 1 + random() % 4; changes != 0; --changes) {
    const std::size_t at = bytes.empty() ? 0 : random() % bytes.size();
    switch (random() % 5) {
      case 0:
        if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random() % 8));
        break;
      case 1:
        if (!bytes.empty()) bytes[at] = static_cast<char>(random() % 2 == 0 ? random() : 0xff);
        break;
      case 2: bytes.resize(at); break;
      case 3: bytes.insert(at, bytes.substr(at, random() % 64)); break;
      default: bytes.insert(at, 1, static_cast<char>(random())); break;
    }
  }
  return bytes;
}

std::size_t Replay(const Target& target, const fs::path& corpus) {
  std::size_t runs = 0;
  const auto run = [&](const std::string& input) {
    target.run(AsBytes(input));
    ++runs;
  };
  std::vector<std::string> inputs = target.seeds();
  if (const fs::path folder = corpus / target.name; fs::is_directory(folder)) {
    std::vector<fs::path> files(fs::directory_iterator(folder), {});
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) inputs.push_back(ReadFile(file));
  }
  run({});
  std::mt19937_64 random(1);
  for (const std::string& input : inputs) {
    run(input);
    for (std::size_t i = 0; i < kMutationsPerSeed; ++i) run(Mutate(input, random));
  }
  std::cout << target.name << ": " << inputs.size() << " inputs, " << runs << " runs\n";
  return runs;
}

int WriteSeeds(const Target* target, const fs::path& folder) {
  if (target == nullptr) return 2;
  fs::create_directories(folder);
  std::size_t number = 0;
  for (const std::string& seed : target->seeds()) {
    std::ofstream stream(folder / ("seed-" + std::to_string(number++)), std::ios::binary);
    stream.write(seed.data(), static_cast<std::streamsize>(seed.size()));
    stream.close();
    if (!stream) return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string first = argc > 1 ? argv[1] : "";
  if (first == "--list") {
    for (const Target* target : kommander::fuzz::AllTargets()) std::cout << target->name << "\n";
    return 0;
  }
  if (first == "--seeds" && argc == 4) {
    return WriteSeeds(kommander::fuzz::FindTarget(argv[2]), argv[3]);
  }
  for (const Target* target : kommander::fuzz::AllTargets()) Replay(*target, first);
  return 0;
}
