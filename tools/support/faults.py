# The faults of a chaos run, drawn from its seed: one lane does things to processes, one to the
# network, so that faults of both kinds meet. Each kind is dealt once before any comes again.
import asyncio
import collections
import os
import random
import re
import subprocess

from support.cluster_status import leader_of
from support.links import Link
from support.nodes import DemoError
from support.tasks import end

PAUSE_S = (0.3, 1.5)  # between two faults of a lane
LENGTH_S = (0.3, 3.0)
LOOK_S = 0.3  # for a leader, within the pause
KINDS_PER_LANE_MAX = 5
DECK_S_MAX = KINDS_PER_LANE_MAX * (PAUSE_S[1] + LENGTH_S[1])  # when everything meets something
SMALL_DISK_BYTES = 192 << 20
CAP_SYS_ADMIN = 21  # linux/capability.h
_BALLAST = 'ballast'
FAIL_STOP = 1  # how the server ends by itself, after it said why; never by a signal, never with 0
_NO_DISK = ('no small file system to fill; only root may mount one, and --no-disk-full leaves the'
            ' fault out')


def may_mount():
    """Whether the kernel lets this process make a small disk of its own."""
    try:
        with open('/proc/self/status') as stream:
            effective = int(re.search(r'^CapEff:\s*([0-9a-f]+)', stream.read(), re.M).group(1), 16)
    except (OSError, AttributeError):
        return False
    return bool(effective >> CAP_SYS_ADMIN & 1)


class SmallDisk:
    """A file system in memory, of its own size, where a node keeps its data."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        command = ['mount', '-t', 'tmpfs', '-o', f'size={SMALL_DISK_BYTES}', 'chaos', folder]
        try:
            ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True,
                                   text=True, check=False)
        except OSError as error:
            raise DemoError(f'{_NO_DISK}: {error}') from None
        if ended.returncode != 0:
            said = ended.stderr.strip().splitlines() or [f'mount ended with {ended.returncode}']
            raise DemoError(f'{_NO_DISK}: {said[0]}')

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
        subprocess.run(['umount', self.folder], stdin=subprocess.DEVNULL, check=True)


class Faults:
    def __init__(self, nodes, network, disk, seed, partitions, tell):
        """`disk` is that of the last node; None: it is never filled."""
        self.ordered = collections.Counter()
        self.effective = collections.Counter()  # those that met something alive
        self.down = set()  # numbers of nodes that may be dead, or deaf to SIGTERM
        self._nodes = {node.number: node for node in nodes}
        self._network = network
        self._disk = disk
        self._disk_node = nodes[-1].number
        self._seed = seed
        self._partitions = partitions
        self._tell = tell
        self._process_kinds = {'kill': self._kill, 'kill all': self._kill_all,
                               'freeze': self._freeze}
        if disk is not None:
            self._process_kinds['disk full'] = self._fill_disk
        self._network_kinds = {'cut': self._cut, 'isolate': self._isolate, 'deaf': self._deafen,
                               'delay': self._delay, 'half open': self._half_open}
        self.kinds = (*self._process_kinds, *self._network_kinds)

    async def run(self):
        """Until it is cancelled; what is broken then stays so, see `mend`."""
        lanes = [asyncio.ensure_future(self._lane(self._process_kinds, self._running)),
                 asyncio.ensure_future(self._lane(self._network_kinds, self._connected))]
        try:
            await asyncio.gather(*lanes)
        finally:
            await end(lanes)

    def mend(self):
        self._network.heal()
        if self._disk is not None and self._disk.is_full():
            self._disk.empty()
            self._nodes[self._disk_node].kill(allowed=(FAIL_STOP,))
        for node in self._nodes.values():
            if node.runs():
                node.resume()
            else:
                node.start()
        self.down.clear()

    async def _lane(self, kinds, alive):
        chance = random.Random(f'{self._seed}/{",".join(kinds)}')
        while True:
            deck = list(kinds)
            chance.shuffle(deck)
            for kind in deck:
                target = await self._pause(chance, alive)
                if kind == 'disk full':
                    target = self._disk_node
                self._tell(kind if kind == 'kill all' else f'{kind}: node {target}')
                self.ordered[kind] += 1
                before = self.effective[kind]
                await kinds[kind](chance, target, chance.uniform(*LENGTH_S))
                if self.effective[kind] == before:
                    self._tell(f'{kind}: nothing was there to be hit')
                    deck.append(kind)  # and so the loop comes to it again

    async def _pause(self, chance, alive):
        """The next target: a leader as often as not, for faults of followers are easy."""
        loop = asyncio.get_running_loop()
        due_s = loop.time() + chance.uniform(*PAUSE_S)
        await asyncio.sleep(due_s - LOOK_S - loop.time())
        leader = None
        if chance.random() < 0.5:
            partition = chance.randint(1, self._partitions)
            leader = await leader_of(list(self._nodes.values()), partition, LOOK_S)
        await asyncio.sleep(due_s - loop.time())
        among = alive() or list(self._nodes)
        return leader if leader in among else chance.choice(among)

    def _running(self):
        return [number for number, node in self._nodes.items() if node.runs()]

    def _connected(self):
        return [number for number in self._nodes
                if any(link.is_alive() for link in self._network.of(number))]

    def _note(self, kind, is_hit):
        self.effective[kind] += is_hit

    # --- processes -----------------------------------------------------------------------------

    async def _kill(self, _, target, length_s):
        await self._kill_some('kill', [self._nodes[target]], length_s)

    async def _kill_all(self, _, __, length_s):
        await self._kill_some('kill all', list(self._nodes.values()), length_s / 3)

    async def _kill_some(self, kind, nodes, length_s):
        self.down.update(node.number for node in nodes)
        self._note(kind, all(node.runs() for node in nodes))
        for node in nodes:
            node.kill()
        await asyncio.sleep(length_s)
        for node in nodes:
            node.start()
        self.down.difference_update(node.number for node in nodes)

    async def _freeze(self, _, target, length_s):
        node = self._nodes[target]
        self._note('freeze', node.runs())
        node.pause()
        await asyncio.sleep(length_s)
        node.resume()

    async def _fill_disk(self, _, target, length_s):
        """The node may go on without writing, fail its storage or end in order; then it is started
        anew."""
        node = self._nodes[target]
        self.down.add(node.number)
        self._note('disk full', node.runs())
        taken = self._disk.fill()
        await asyncio.sleep(length_s)
        ended = not node.runs()
        self._disk.empty()
        self._tell(f'disk full: node {node.number} had {taken >> 20} MiB left'
                   + (' and ended' if ended else ' and went on'))
        node.kill(allowed=(FAIL_STOP,))
        node.start()
        self.down.discard(node.number)

    # --- the network ---------------------------------------------------------------------------

    async def _break(self, kind, links, how, length_s, met=None):
        """`met` are those where something is lost or late if they are alive; None: all."""
        self._note(kind, any(link.is_alive() for link in met or links))
        for link in links:
            how(link)
        await asyncio.sleep(length_s)
        for link in links:
            link.heal()

    def _alive_of(self, target):
        """Links from and to the node that carry something; all of them if none does."""
        links = self._network.of(target)
        return [link for link in links if link.is_alive()] or links

    async def _cut(self, chance, target, length_s):
        await self._break('cut', [chance.choice(self._alive_of(target))], Link.cut, length_s)

    async def _isolate(self, _, target, length_s):
        await self._break('isolate', self._network.of(target), Link.cut, length_s)

    async def _deafen(self, chance, target, length_s):
        """The node is heard and does not hear, or the other way round."""
        hears = chance.random() < 0.5
        links = self._network.of(target)
        held = [link for link in links if (link.target == target) != hears]

        def hold(link):
            link.deafen(forth=link in held, back=link not in held)
        # What a dialler has to say goes forth; back come only answers to greetings and pings.
        await self._break('deaf', links, hold, length_s, met=held)

    async def _delay(self, chance, target, length_s):
        def slow(link):
            link.delay_s = chance.uniform(0.01, 0.2)
        await self._break('delay', self._network.of(target), slow, length_s)

    async def _half_open(self, chance, target, length_s):
        links = self._alive_of(target)
        if chance.random() < 0.5:
            links = [chance.choice(links)]
        await self._break('half open', links, Link.half_open, length_s)
