#!/usr/bin/env python3
# An outside program builds from what `meson install` leaves behind, with a compiler and pkg-config
# alone, and works: the second example on the library, the fourth on kommander-testing, a
# configuration that is read, a log that fails when it is told to, and a network that is cut.
#   consumer_test.py BUILD SOURCE
import os
import pathlib
import shlex
import subprocess
import sys
import tempfile


# Every part that has a header is in the archive.
CONFIGURATION = '''
#include <kommander/configuration_file.hpp>
int main() {
  kommander::RaftConfiguration configuration;
  return kommander::ReadConfiguration("{\\"id\\": 7}", configuration).empty() &&
                 configuration.id() == kommander::NodeId(7)
             ? 0
             : 1;
}
'''

FAULTY_WAL = '''
#include <kommander/testing/faulty_wal.hpp>
using namespace kommander;
int main() {
  testing::FaultyWal wal;
  std::optional<StoreIdentity> identity;
  std::string detail;
  if (wal.Open(identity, detail)) return 1;
  wal.FailWrite(2);
  const bool is_good = !wal.PutMetadata("key", Payload("first")) &&
                       wal.PutMetadata("key", Payload("second")) == RaftErrc::StorageFailed;
  std::optional<Payload> value;
  return is_good && !wal.GetMetadata("key", value) && value->text() == "first" ? 0 : 1;
}
'''

MEMORY_NETWORK = '''
#include <array>
#include <memory>
#include <vector>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <kommander/kommander.hpp>
#include <kommander/memory_transport.hpp>
#include <kommander/memory_wal.hpp>
#include <kommander/steady_clock.hpp>
namespace asio = boost::asio;
using namespace kommander;
using Nodes = std::array<std::unique_ptr<RaftManager>, 3>;
asio::awaitable<error_code> Write(Nodes& nodes) {
  const Payload text("text");
  error_code error;
  auto wait = asio::redirect_error(asio::use_awaitable, error);
  const NodeId leader = co_await nodes[0]->WaitForLeader(1, wait);
  if (error) co_return error;
  auto write = asio::redirect_error(asio::use_awaitable, error);
  co_await nodes[leader.value() - 1]->ReplicateLogs(1, "add", text, ReplicateOptions(), write);
  co_return error;
}
asio::awaitable<void> Run(Nodes& nodes, MemoryNetwork& network, bool& is_good) {
  for (const auto& node : nodes) node->JoinCluster(asio::detached);
  while (co_await Write(nodes)) {  // until a majority has joined
  }
  network.SetDefaultFaults(LinkFaults().Cut());  // of every direction; SetFaults is for one
  is_good = bool(co_await Write(nodes));
  network.Heal();
  while (co_await Write(nodes)) {
  }
  for (const auto& node : nodes) co_await node->Stop();
}
int main() {
  asio::io_context context;
  const auto network = MemoryNetwork::Create();
  std::vector<NodeAddress> members;
  for (std::uint16_t id = 1; id <= 3; ++id) members.emplace_back(NodeId(id), Endpoint("node", id));
  Nodes nodes;
  for (const NodeAddress& member : members) {
    RaftConfiguration configuration;
    configuration.Id(member.id).Listen(member.endpoint).InitialMembers(members);
    configuration.ProposalTimeout(std::chrono::seconds(1));
    nodes[member.id.value() - 1] = std::make_unique<RaftManager>(
        context.get_executor(), configuration, std::make_shared<MemoryWal>(),
        network->CreateTransport(MakeSteadyClock()), std::make_shared<StaticDiscovery>(members));
  }
  bool is_good = false;
  asio::co_spawn(context, Run(nodes, *network, is_good), asio::detached);
  context.run();
  return is_good ? 0 : 1;
}
'''


def run(*command, **more):
    print(*command, flush=True)
    return subprocess.run(command, check=True, timeout=250, **more)


def pkg_config(root, package):
    """Flags of an installed package whose prefix was moved to `root`."""
    [folder] = {path.parent for path in root.rglob('kommander*.pc')}
    [include] = root.rglob('include')
    done = run('pkg-config', f'--define-variable=prefix={include.parent}', '--cflags', '--libs',
               package, env={**os.environ, 'PKG_CONFIG_PATH': str(folder)},
               stdout=subprocess.PIPE, text=True)
    return shlex.split(done.stdout)


def build_and_run(root, name, source, package, *arguments):
    run('g++', '-std=c++20', str(source), '-o', str(root / name), *pkg_config(root, package))
    run(str(root / name), *arguments)


def main():
    build, source = map(pathlib.Path, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        run('meson', 'install', '-C', str(build), '--destdir', str(root), '--no-rebuild',
            stdout=subprocess.DEVNULL)
        for example, package, arguments in (
                ('02_counter', 'kommander', ()),
                ('04_tested_counter', 'kommander-testing', ('--seeds', '1..2'))):
            build_and_run(root, example, source / 'examples' / example / 'main.cpp', package,
                          *arguments)
        programs = [('faulty_wal', FAULTY_WAL, 'kommander-testing'),
                    ('memory_network', MEMORY_NETWORK, 'kommander')]
        if list(root.rglob('configuration_file.hpp')):
            programs.append(('configuration', CONFIGURATION, 'kommander'))
        for name, text, package in programs:
            file = root / f'{name}.cpp'
            file.write_text(text)
            build_and_run(root, name, file, package)


if __name__ == '__main__':
    main()
