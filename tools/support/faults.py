# The faults of a chaos run, drawn from its seed: one lane does things to processes, one to the
# network, so that faults of both kinds meet. Each kind is dealt once before any comes again.
import asyncio
import collections
import os
import random
import subprocess

from support.cluster_status import leader_of
from support.tasks import end

PAUSE_S = (0.3, 1.5)  # between two faults of a lane
LENGTH_S = (0.3, 3.0)
SMALL_DISK_BYTES = 192 << 20
_BALLAST = 'ballast'


class SmallDisk:
    """A file system in memory, of its own size, where a node keeps its data."""

    def __init__(self, folder):
        self.folder = folder
        self.problem = None
        os.makedirs(folder, exist_ok=True)
        if os.geteuid() != 0:
            self.problem = 'only root may mount a small file system'
            return
        command = ['mount', '-t', 'tmpfs', '-o', f'size={SMALL_DISK_BYTES}', 'chaos', folder]
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if ended.returncode != 0:
            self.problem = ended.stderr.strip() or 'the mount failed'

    def fill(self):
        """Nothing is left; the bytes that were free."""
        taken = 0
        with open(os.path.join(self.folder, _BALLAST), 'wb') as ballast:
            for step in (1 << 20, 4096):
                try:
                    while True:
                        os.posix_fallocate(ballast.fileno(), taken, step)
                        taken += step
                except OSError:
                    pass
        return taken

    def empty(self):
        os.remove(os.path.join(self.folder, _BALLAST))

    def is_full(self):
        return os.path.exists(os.path.join(self.folder, _BALLAST))

    def close(self):
        if self.problem is None:
            subprocess.run(['umount', self.folder], stdin=subprocess.DEVNULL, check=True)


class Faults:
    def __init__(self, nodes, network, disk, disk_node, seed, partitions, tell):
        self.fired = collections.Counter()
        self.down = set()  # numbers of nodes that may be dead, or deaf to SIGTERM
        self._nodes = {node.number: node for node in nodes}
        self._network = network
        self._disk = disk
        self._disk_node = disk_node
        self._seed = seed
        self._partitions = partitions
        self._tell = tell
        self.process_kinds = {'kill': self._kill, 'kill all': self._kill_all,
                              'freeze': self._freeze}
        if disk is not None:
            self.process_kinds['disk full'] = self._fill_disk
        self.network_kinds = {'cut': self._cut, 'isolate': self._isolate, 'deaf': self._deafen,
                              'delay': self._delay, 'half open': self._half_open}

    async def run(self):
        """Until it is cancelled; what is broken then stays so, see `mend`."""
        lanes = [asyncio.ensure_future(self._lane(kinds)) for kinds in
                 (self.process_kinds, self.network_kinds)]
        try:
            await asyncio.gather(*lanes)
        finally:
            await end(lanes)

    def mend(self):
        self._network.heal()
        if self._disk is not None and self._disk.is_full():
            self._disk.empty()
            self._nodes[self._disk_node].kill()
        for node in self._nodes.values():
            if node.runs():
                node.resume()
            else:
                node.start()
        self.down.clear()

    async def _lane(self, kinds):
        chance = random.Random(f'{self._seed}/{",".join(kinds)}')
        while True:
            deck = list(kinds)
            chance.shuffle(deck)
            for kind in deck:
                await asyncio.sleep(chance.uniform(*PAUSE_S))
                target = await self._target(chance)
                if kind == 'disk full':
                    target = self._disk_node
                self._tell(kind if kind == 'kill all' else f'{kind}: node {target}')
                await kinds[kind](chance, target, chance.uniform(*LENGTH_S))
                self.fired[kind] += 1

    async def _target(self, chance):
        """A leader as often as not: faults of followers are easy."""
        partition = chance.randint(1, self._partitions)
        any_node = chance.choice(list(self._nodes))
        if chance.random() < 0.5:
            return any_node
        return await leader_of(list(self._nodes.values()), partition) or any_node

    # --- processes -----------------------------------------------------------------------------

    async def _kill(self, _, target, length_s):
        await self._kill_some([self._nodes[target]], length_s)

    async def _kill_all(self, _, __, length_s):
        await self._kill_some(list(self._nodes.values()), length_s / 3)

    async def _kill_some(self, nodes, length_s):
        self.down.update(node.number for node in nodes)
        for node in nodes:
            node.kill()
        await asyncio.sleep(length_s)
        for node in nodes:
            node.start()
        self.down.difference_update(node.number for node in nodes)

    async def _freeze(self, _, target, length_s):
        self._nodes[target].pause()
        await asyncio.sleep(length_s)
        self._nodes[target].resume()

    async def _fill_disk(self, _, target, length_s):
        """The node may go on without writing, fail its storage or end; then it is started anew."""
        node = self._nodes[target]
        self.down.add(node.number)
        taken = self._disk.fill()
        await asyncio.sleep(length_s)
        ended = not node.runs()
        self._disk.empty()
        self._tell(f'disk full: node {node.number} had {taken >> 20} MiB left'
                   + (' and ended' if ended else ' and went on'))
        if not ended:
            node.kill()
        node.start()
        self.down.discard(node.number)

    # --- the network ---------------------------------------------------------------------------

    def _some_link(self, chance, target):
        return chance.choice(self._network.of(target))

    async def _broken(self, links, length_s):
        await asyncio.sleep(length_s)
        for link in links:
            link.heal()

    async def _cut(self, chance, target, length_s):
        link = self._some_link(chance, target)
        link.cut()
        await self._broken([link], length_s)

    async def _isolate(self, _, target, length_s):
        links = self._network.of(target)
        for link in links:
            link.cut()
        await self._broken(links, length_s)

    async def _deafen(self, chance, target, length_s):
        """The node is heard and does not hear, or the other way round."""
        hears = chance.random() < 0.5
        links = self._network.of(target)
        for link in links:
            comes_in = link.target == target
            link.deafen(forth=comes_in != hears, back=comes_in == hears)
        await self._broken(links, length_s)

    async def _delay(self, chance, target, length_s):
        links = self._network.of(target)
        for link in links:
            link.delay_s = chance.uniform(0.01, 0.2)
        await self._broken(links, length_s)

    async def _half_open(self, chance, target, length_s):
        links = [link for link in self._network.of(target) if link.connections]
        if chance.random() < 0.5:
            links = links[:1]
        for link in links:
            link.half_open()
        await self._broken(links, length_s)
