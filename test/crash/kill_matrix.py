# Three processes of the key/value example under load; one after the other is made to die at a named
# point of the code (KOMMANDER_CRASH_POINT), started again, and made to die at the next point. In
# the end nothing that was acknowledged may be missing on any node.
#   kill_matrix.py PROGRAM [--kills N] [--seed N] [--point NAME] [--folder DIR]
# PROGRAM is kommander-kv, built with -Dcrash_points=true.
import argparse
import asyncio
import collections
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(ROOT, 'tools'))

from support.cluster_run import AGREE_S, START_S, ClusterRun  # noqa: E402
from support.cluster_status import agree, leader_of, statuses  # noqa: E402
from support.http_client import Client, NoAnswer, NotSent  # noqa: E402
from support.nodes import HOST, DemoError, make_nodes  # noqa: E402

KILLS_PER_CLUSTER = 50
KILLS_PER_NODE = 7  # then it is another one's turn
WRITERS = 12
KEYS_PER_WRITER = 10
PAUSE_S = 0.005
POINT_S = 5  # for a process to come past its point
# Passed once in the life of a store and in this order; at every start; by those who elect; by those
# who lead.
CREATION = ('synced.created', 'synced.creation_synced', 'store.directory_made',
            'wal.before_identity', 'wal.before_metadata')
START = ('wal.looked', 'wal.opened', 'wal.synced_anew', 'synced.slot_refreshed', 'log.created',
         'log.zeroed')
ELECTION = ('send.before_vote', 'send.after_vote', 'send.before_vote_request',
            'send.after_vote_request')
LEADER = ('send.before_append', 'send.after_append')
SNAPSHOT = ('snapshot.synced', 'snapshot.renamed')
PASSAGES_MAX = 80
SNAPSHOTS_MAX = 8
SNAPSHOT_ENTRIES = 40


def points_of_the_code():
    found = set()
    for folder in ('lib', 'storage', 'transports'):
        for parent, _, names in os.walk(os.path.join(ROOT, folder)):
            for name in names:
                if name.endswith(('.cpp', '.hpp')):
                    with open(os.path.join(parent, name)) as stream:
                        found |= set(re.findall(r'KOMMANDER_CRASH_POINT\("([\w.]+)"\)',
                                                stream.read()))
    return sorted(found)


class Totals:
    def __init__(self):
        self.kills = collections.Counter()  # by point
        self.not_reached = collections.Counter()
        self.plain_kills = 0
        self.failed_restarts = 0
        self.acknowledged = 0
        self.read_back = 0
        self.lost = 0
        self.problems = []


class Key:
    """What a key may hold: the last acknowledged value, or one whose outcome nobody knows."""

    def __init__(self, name):
        self.name = name
        self.acknowledged = None
        self.unknown = None

    def may_hold(self, value):
        return value in (self.acknowledged, self.unknown)


class KillRun(ClusterRun):
    """One cluster, from its first start to the last comparison."""

    def __init__(self, nodes, chance, totals):
        super().__init__(nodes, [])
        self.keys = []
        self.totals = totals
        self._chance = chance
        self._is_writing = True

    def where(self):
        return f'{self._phase}, {sum(self.totals.kills.values())} kills'

    async def run_points(self, points):
        for node in self.nodes:
            await self._be_born(node, [p for p in points if p in CREATION])
        await self._until(START_S, 'a leader of partition 1', lambda: leader_of(self.nodes, 1))
        writers = [asyncio.ensure_future(self._write(number)) for number in range(WRITERS)]
        try:
            await self._kill_at([p for p in points if p not in CREATION])
            self._is_writing = False
            await asyncio.gather(*writers)
        finally:
            for writer in writers:
                writer.cancel()
        await self._compare()

    # --- kills ---------------------------------------------------------------------------------

    async def _be_born(self, node, points):
        self._down.add(node.number)
        for point in points:
            # The metadata are whom it has met: the first node meets nobody.
            if point != 'wal.before_metadata' or node is not self.nodes[0]:
                self._start(node, point, 1)
                await self._await_death(node, point)
        self._start(node)
        self._down.discard(node.number)

    async def _kill_at(self, points):
        self._phase = 'killing'
        node = None
        for turn, point in enumerate(points):
            if turn % KILLS_PER_NODE == 0:
                node = await self._next_victim(node)
            self._start(node, point, self._passages(point))
            if point in ELECTION or point in LEADER or self._chance.random() < 0.2:
                await self._provoke_elections(node, point)
            else:
                await self._await_death(node, point)
        self._start(node)
        self._down.discard(node.number)

    def _passages(self, point):
        if point in START:
            return 1
        if point in ELECTION:
            return self._chance.randint(1, 2)
        if point in SNAPSHOT:
            return self._chance.randint(1, SNAPSHOTS_MAX)
        return self._chance.randint(1, PASSAGES_MAX)

    async def _next_victim(self, last):
        """A node that is down; all others run, unarmed."""
        if last is not None:
            self._start(last)
            self._down.discard(last.number)
            await self._until(AGREE_S, 'answers of all nodes', self._all_answer)
        node = self.nodes[(last.number if last else self._chance.randrange(3)) % 3]
        self._down.add(node.number)
        self._kill(node)
        return node

    async def _all_answer(self):
        return True if len(await statuses(self.nodes)) == len(self.nodes) else None

    async def _provoke_elections(self, victim, point):
        """Kills whoever leads most, again and again, until the victim came past its point."""
        deadline_s = time.monotonic() + POINT_S
        while victim.exit_code() is None and time.monotonic() < deadline_s:
            leader = await self._other_leader(victim)
            if leader is None:
                await asyncio.sleep(0.02)
                continue
            self._down.add(leader.number)
            self._kill(leader)
            await self._await_exit(victim, 0.8)
            self._start(leader)
            self._down.discard(leader.number)
            await self._await_exit(victim, 0.4)
        await self._await_death(victim, point)

    async def _other_leader(self, victim):
        leads = collections.Counter()
        for number, partitions in (await statuses(self.nodes)).items():
            if number != victim.number:
                leads[number] += sum(p['role'] == 'leader' for p in partitions.values())
        best = leads.most_common(1)
        return self.nodes[best[0][0] - 1] if best and best[0][1] > 0 else None

    def _kill(self, node):
        node.kill()
        self.totals.plain_kills += 1

    @staticmethod
    def _start(node, point=None, passage=0):
        node.start({'KOMMANDER_CRASH_AT': f'{point}:{passage}'} if point else {})

    @staticmethod
    async def _await_exit(node, limit_s):
        deadline_s = time.monotonic() + limit_s
        while node.exit_code() is None and time.monotonic() < deadline_s:
            await asyncio.sleep(0.005)

    async def _await_death(self, node, point):
        await self._await_exit(node, POINT_S)
        code = node.exit_code()
        if code == -signal.SIGKILL:
            self.totals.kills[point] += 1
        elif code is None:
            self.totals.not_reached[point] += 1
            self._kill(node)
        else:
            self.totals.failed_restarts += 1
            self.totals.problems.append(f'node {node.number}, to die at {point}, ended with {code}:'
                                        f' {node.last_words()}')

    # --- load ----------------------------------------------------------------------------------

    async def _write(self, number):
        clients = [Client(HOST, node.http_port) for node in self.nodes]
        mine = []
        count = 0
        try:
            while self._is_writing:
                if len(mine) < KEYS_PER_WRITER:
                    mine.append(Key(f'w{number}-{len(self.keys)}'))
                    self.keys.append(mine[-1])
                count += 1
                key = mine[count % len(mine)]
                value = f'{number}.{count}'.encode()
                if not await self._put(clients[count % len(clients)], key, value):
                    mine.remove(key)  # as it is, for good
                await asyncio.sleep(PAUSE_S)
        finally:
            for client in clients:
                client.close()

    async def _put(self, client, key, value):
        """False when the outcome is not known."""
        try:
            status, body = await client.request('PUT', f'/kv/{key.name}', value)
        except NotSent:
            return True
        except NoAnswer:
            status, body = 504, b'{"outcome":"unknown"}'
        if status == 200:
            key.acknowledged = value
            self.totals.acknowledged += 1
            return True
        outcome = self._outcome(status, body)
        if outcome == 'unknown':
            key.unknown = value
            return False
        if outcome != 'not_applied':
            raise DemoError(f'{key.name} was refused: {status} {body[:200]!r}')
        return True

    # --- in the end ----------------------------------------------------------------------------

    async def _compare(self):
        self._phase = 'comparing'
        await self._until(AGREE_S, 'equal hashes on all nodes', lambda: agree(self.nodes))
        await asyncio.gather(*(self._read_node(node) for node in self.nodes))
        await self._until(AGREE_S, 'equal hashes on all nodes', lambda: agree(self.nodes))

    async def _read_node(self, node):
        client = Client(HOST, node.http_port)
        try:
            for key in self.keys:
                status, body = await self._read(client, node, f'/kv/{key.name}')
                self.totals.read_back += 1
                if key.may_hold(body if status == 200 else None):
                    continue
                self.totals.lost += 1
                self.totals.problems.append(
                    f'LOST: {key.name} on node {node.number} is {status} {body!r},'
                    f' not {key.acknowledged!r} or {key.unknown!r}')
        finally:
            client.close()


def run_cluster(program, folder, points, chance, totals):
    nodes = make_nodes(program, folder, options=('--snapshot-entries', str(SNAPSHOT_ENTRIES)))
    try:
        asyncio.run(KillRun(nodes, chance, totals).run_points(points))
    except DemoError as error:
        totals.problems.append(str(error))
    finally:
        for node in nodes:
            if node.is_started() and node.exit_code() is None:
                node.kill()


def report(totals, names, begin_s):
    print('point                          kills  not reached')
    for name in names:
        print(f'{name:30} {totals.kills[name]:5}  {totals.not_reached[name]:11}')
    for problem in totals.problems[:20]:
        print(problem)
    print(f'{sum(totals.kills.values())} kills at {len(totals.kills)} of {len(names)} points,'
          f' {totals.plain_kills} anywhere else; {totals.acknowledged:,} writes acknowledged,'
          f' {totals.read_back:,} reads, {totals.lost} lost,'
          f' {totals.failed_restarts} failed restarts, {len(totals.problems)} problems,'
          f' {time.monotonic() - begin_s:.0f} s')


def main():
    parser = argparse.ArgumentParser(description='Kills nodes at every named point of the code.')
    parser.add_argument('program')
    parser.add_argument('--kills', type=int, default=100)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--point', action='append', help='only this one; may be given again')
    parser.add_argument('--folder', default='/dev/shm' if os.path.isdir('/dev/shm') else None)
    arguments = parser.parse_args()
    names = arguments.point or points_of_the_code()
    chance = random.Random(arguments.seed)
    totals = Totals()
    begin_s = time.monotonic()
    lives = [name for name in names if name not in CREATION]
    turn = 0
    while sum(totals.kills.values()) < arguments.kills and not totals.problems:
        folder = tempfile.mkdtemp(prefix='kommander-kill-', dir=arguments.folder)
        points = [name for name in CREATION if name in names]
        for _ in range(min(KILLS_PER_CLUSTER, arguments.kills) if lives else 0):
            points.append(lives[turn % len(lives)])
            turn += 1
        run_cluster(os.path.abspath(arguments.program), folder, points, chance, totals)
        if totals.problems:
            print(f'kept: {folder}')
        else:
            shutil.rmtree(folder)
    report(totals, names, begin_s)
    reached_all = all(totals.kills[name] for name in names) or arguments.kills < 10 * len(names)
    return 0 if not totals.problems and reached_all else 1


if __name__ == '__main__':
    sys.exit(main())
