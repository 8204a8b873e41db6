# One chaos run: load and faults for a while, leaders killed one by one, then everything is mended,
# the nodes must agree, and what clients and nodes have is written down for the judge.
import asyncio
import json
import os
import time

from support.chaos_clients import Load, Recorder
from support.cluster_status import agree, statuses
from support.faults import Faults, SmallDisk
from support.http_client import Client
from support.leader_kills import LeaderKills
from support.links import Network
from support.nodes import HOST, DemoError, Node, free_ports
from support.stall_probe import StallProbe
from support.steps import say
from support.tasks import end

PARTITIONS = 4
KEY_GROUPS = 5
APPENDERS = 8
CALM_S = 3  # load before the first fault
AGREE_S = 60
TRIES_PER_KILL = 5  # an election may come between
PROGRESS_S = 5.0
LINES_AT_ONCE = 1000
SNAPSHOT_ENTRIES = 100  # so few that whoever was away for long needs one


def make_cluster(program, folder, count, timeout_ms, transport):
    """Nodes that reach each other over the links of a network, and clients directly."""
    numbers = range(1, count + 1)
    ports = iter(free_ports(2 * count + count * (count - 1)))
    raft = {number: next(ports) for number in numbers}
    http = {number: next(ports) for number in numbers}
    network = Network(raft, ports)

    def members(self):
        for number in numbers:
            port = raft[self] if number == self else network.links[self, number].port
            yield f'{number}={HOST}:{port}/{HOST}:{http[number]}'
    options = ('--election-timeout-ms', str(timeout_ms),
               '--snapshot-entries', str(SNAPSHOT_ENTRIES), '--transport', transport)
    return network, [Node(number, program, folder, ','.join(members(number)), http[number], options)
                     for number in numbers]


class ChaosRun:
    def __init__(self, program, folder, arguments):
        self.failovers = []
        self._network, self.nodes = make_cluster(program, folder, arguments.nodes,
                                                 arguments.election_timeout_ms,
                                                 arguments.transport)
        self._disk = None if arguments.no_disk_full else SmallDisk(self.nodes[-1].data_path)
        self.faults = Faults(self.nodes, self._network, self._disk, arguments.seed, PARTITIONS,
                             self._say)
        self.recorder = Recorder(os.path.join(folder, 'records.jsonl'))
        self._folder = folder
        self._arguments = arguments
        self._begin_s = time.monotonic()
        self._load = Load(self.nodes, self.recorder, arguments.seed, KEY_GROUPS, APPENDERS,
                          PARTITIONS)

    async def run(self):
        await self._network.start()
        for node in self.nodes:
            node.start()
        await self._await_calm('at the start')
        self._say(f'{len(self.nodes)} nodes run, every partition has a leader')
        progress = asyncio.ensure_future(self._show_progress())
        try:
            await self._chaos()
            await self._kill_leaders()
            await self._await_calm('at the end')
            await self._load.look_everywhere()
            await self._write_logs()
        finally:
            progress.cancel()
            self.recorder.close()

    async def close(self):
        await self._network.close()
        for node in self.nodes:
            if node.runs():
                node.resume()

    def close_disk(self):
        """Once every node has ended."""
        if self._disk is not None:
            self._disk.close()

    # --- phases --------------------------------------------------------------------------------

    async def _chaos(self):
        self._load.start()
        faults = None
        try:
            await self._watch(CALM_S)
            if self.recorder.acknowledged == 0:
                raise DemoError('nothing was acknowledged before the first fault')
            faults = asyncio.ensure_future(self.faults.run())
            await self._watch(self._arguments.seconds, faults)
        finally:
            if faults is not None:
                await end([faults])
            try:
                self.faults.mend()
            finally:
                await self._load.stop()

    async def _watch(self, length_s, faults=None):
        end_s = time.monotonic() + length_s
        while time.monotonic() < end_s:
            self._check_nodes()
            self._load.check()
            if faults is not None and faults.done():
                faults.result()
            await asyncio.sleep(0.1)

    async def _kill_leaders(self):
        probe = StallProbe(os.path.join(self._folder, 'probe'))
        try:
            kills = LeaderKills(self.nodes, self._load.session, probe, self.faults.down, self._say)
            self.failovers = kills.done
            for _ in range(TRIES_PER_KILL * self._arguments.leader_kills):
                if len(kills.done) == self._arguments.leader_kills:
                    break
                await self._await_calm(f'before leader kill {len(kills.done) + 1}')
                await kills.kill(1 + len(kills.done) % PARTITIONS,
                                 self._arguments.election_timeout_ms / 1000)
        finally:
            probe.close()

    async def _await_calm(self, when):
        """Everybody runs and knows the same living leaders, and has applied the same."""
        deadline_s = time.monotonic() + AGREE_S
        while time.monotonic() < deadline_s:
            self._check_nodes()
            if await self._has_leaders() and await agree(self.nodes):
                return
            await asyncio.sleep(0.05)
        raise DemoError(f'{when}: the nodes do not agree within {AGREE_S} s')

    async def _has_leaders(self):
        found = await statuses(self.nodes)
        if len(found) != len(self.nodes):
            return False
        for partition in range(1, PARTITIONS + 1):
            leaders = {view[partition]['leader'] for view in found.values()}
            if len(leaders) != 1 or None in leaders:
                return False
        return True

    async def _write_logs(self):
        for node in self.nodes:
            client = Client(HOST, node.http_port)
            for partition in range(1, PARTITIONS + 1):
                lines = []
                while len(lines) % LINES_AT_ONCE == 0:
                    start = lines[-1]['index'] + 1 if lines else 0
                    path = f'/log/{partition}?from={start}&limit={LINES_AT_ONCE}'
                    status, body = await client.request('GET', path)
                    if status != 200:
                        raise DemoError(f'GET {path} on node {node.number}: {status}')
                    found = json.loads(body)
                    lines += found
                    if not found:
                        break
                self.recorder.add_log(node.number, partition, lines)
            client.close()

    # --- watching ------------------------------------------------------------------------------

    def _check_nodes(self):
        for node in self.nodes:
            if node.number not in self.faults.down:
                node.check_alive()

    async def _show_progress(self):
        before = 0
        while True:
            await asyncio.sleep(PROGRESS_S)
            done = self.recorder.acknowledged
            self._say(f'{done:,} acknowledged ({(done - before) / PROGRESS_S:,.0f}/s),'
                      f' {self.recorder.unknown:,} unknown, {self.recorder.failed:,} refused')
            before = done

    def _say(self, text):
        say(f'{time.monotonic() - self._begin_s:6.1f} s  {text}')
