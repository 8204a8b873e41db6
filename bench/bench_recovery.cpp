// What it costs to begin again, to catch up and to keep logs short: the figures of restarts,
// snapshots, backfill and checkpoints.
#include <iostream>
#include <signal.h>
#include <stdexcept>
#include <string>

#include <CLI/CLI.hpp>

#include "recovery/measurements.hpp"
#include "scratch_directory.hpp"

namespace kommander::bench {
namespace {

void AddCommon(CLI::App& app, RecoveryOptions& options) {
  app.add_option("--payload", options.payload_bytes, "bytes of one payload")->capture_default_str();
  app.add_option("--outstanding", options.outstanding, "proposals in flight")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--data-dir", options.data_directory,
                 "where the logs live; a directory of its own is made in it and removed")
      ->capture_default_str();
  app.add_option("--json", options.json_file, "the result as one flat JSON object");
}

void AddEntries(CLI::App& app, RecoveryOptions& options, const char* help) {
  app.add_option("--entries", options.entries, help)
      ->capture_default_str()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 32));
}

void AddRounds(CLI::App& app, RecoveryOptions& options) {
  app.add_option("--rounds", options.rounds, "the result is their median")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
}

int Run(int argc, char** argv) {
  CLI::App app("bench_recovery: what restarts, snapshots, backfill and checkpoints cost.");
  app.require_subcommand(1);
  RecoveryOptions options;
  CLI::App* restart =
      app.add_subcommand("restart", "One node starts with a long log above its checkpoint.");
  AddEntries(*restart, options, "in the log");
  AddRounds(*restart, options);
  CLI::App* snapshot = app.add_subcommand(
      "snapshot", "A follower whose next entries are gone gets a snapshot over loopback.");
  snapshot->add_option("--state-mib", options.state_mib, "of the application's state")
      ->capture_default_str()
      ->check(CLI::Range(1, 16'384));
  AddRounds(*snapshot, options);
  CLI::App* catch_up = app.add_subcommand(
      "catch-up", "A follower that missed entries catches up while its leader goes on.");
  AddEntries(*catch_up, options, "that it missed");
  catch_up->add_option("--seconds", options.seconds, "of the comparison before it comes back")
      ->capture_default_str();
  CLI::App* checkpoint = app.add_subcommand(
      "checkpoint", "One partition checkpoints and compacts; how long others wait meanwhile.");
  checkpoint->add_option("--seconds", options.seconds, "of each half of a pair")
      ->capture_default_str();
  AddRounds(*checkpoint, options);
  for (CLI::App* each : {restart, snapshot, catch_up, checkpoint}) AddCommon(*each, options);
  CLI11_PARSE(app, argc, argv);

  const ScratchDirectory scratch(options.data_directory, "bench_recovery");
  Table table;
  if (*restart) table = MeasureRestart(options, scratch.path());
  if (*snapshot) table = MeasureSnapshot(options, scratch.path());
  if (*catch_up) table = MeasureCatchUp(options, scratch.path());
  if (*checkpoint) table = MeasureCheckpoint(options, scratch.path());
  PrintTable(table, std::cout);
  if (!options.json_file.empty()) WriteJson(table, options.json_file);
  return 0;
}

}  // namespace
}  // namespace kommander::bench

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  try {
    return kommander::bench::Run(argc, argv);
  } catch (const std::exception& problem) {
    std::cerr << "bench_recovery: " << problem.what() << '\n';
    return 1;
  }
}
