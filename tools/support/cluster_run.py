# One run of the demo against three running nodes: write every line, kill the leader of partition 1
# halfway, restart it, wait until the nodes agree, read everything back through every node.
import asyncio
import json
import time

from support import tasks
from support.cluster_status import agree, leader_of
from support.http_client import Client, NoAnswer, NotSent
from support.nodes import HOST, DemoError
from support.steps import say

WRITERS = 48
READERS_PER_NODE = 16
START_S = 20
AGREE_S = 30
RETRY_PAUSE_S = 0.02
STUCK_S = 30  # without one acknowledgement
FAILOVER_S = 20
PROGRESS_S = 1.0


def key_of(index):
    return f'line-{index + 1:07}'


class ClusterRun:
    def __init__(self, nodes, lines):
        self.nodes = nodes
        self.problems = []
        self._lines = lines
        self._restart_at = len(lines) * 3 // 4
        self._acknowledged = set()
        self._next = 0
        self._phase = 'starting'
        self._begin_s = time.monotonic()
        self._write_s = self._read_s = self._catch_up_s = 0.0
        self._no_effect = self._unknown = self._read_back = 0
        self._last_ack_s = self._begin_s
        self._killed = asyncio.Event()
        self._failover_s = None
        self._hashes_equal = False
        self._down = set()
        self._lost = set()

    def where(self):
        return f'{self._phase}, {len(self._acknowledged)} of {len(self._lines)} lines acknowledged'

    async def run(self):
        for node in self.nodes:
            node.start()
        await self._until(START_S, 'a leader of partition 1', lambda: leader_of(self.nodes, 1))
        self._say('three nodes run, partition 1 has a leader')
        progress = asyncio.ensure_future(self._show_progress())
        try:
            await self._write_everything()
            self._phase = 'waiting for equal hashes'
            began_s = time.monotonic()
            await self._until(AGREE_S, 'equal hashes on all nodes', lambda: agree(self.nodes))
            self._hashes_equal = True
            self._catch_up_s = time.monotonic() - began_s
            await self._read_everything()
            # Reading changes nothing: the nodes still agree, and on every partition.
            await self._until(AGREE_S, 'equal hashes on all nodes', lambda: agree(self.nodes))
        finally:
            progress.cancel()

    def table(self):
        count = len(self._lines)
        return (
            ('lines', f'{count:,}'),
            ('acknowledged', f'{len(self._acknowledged):,}'),
            ('lost', f'{len(self._lost):,}'),
            ('lines per second', f'{count / max(self._write_s, 1e-9):,.0f}'),
            ('failover', 'none seen' if self._failover_s is None else f'{self._failover_s:.2f} s'),
            ('retried, had no effect', f'{self._no_effect:,}'),
            ('retried, outcome unknown', f'{self._unknown:,}'),
            ('nodes equal after', f'{self._catch_up_s:.2f} s'),
            ('read back, three nodes', f'{self._read_back:,}'),
            ('reads per second', f'{self._read_back / max(self._read_s, 1e-9):,.0f}'),
            ('hashes equal', 'yes' if self._hashes_equal else 'NO'),
        )

    # --- writing -------------------------------------------------------------------------------

    async def _write_everything(self):
        self._phase = 'writing'
        began_s = self._last_ack_s = time.monotonic()
        watch = asyncio.ensure_future(self._watch())
        work = asyncio.gather(self._kill_and_restart(), *map(self._writer, range(WRITERS)))
        try:
            await asyncio.wait((work, watch), return_when=asyncio.FIRST_COMPLETED)
            if watch.done():
                watch.result()  # it ends only with an error
            await work
            self._write_s = self._last_ack_s - began_s
        finally:
            await tasks.end((work, watch))

    async def _watch(self):
        while time.monotonic() - self._last_ack_s < STUCK_S or self._is_written():
            self._check_nodes()
            await asyncio.sleep(0.2)
        raise DemoError(f'nothing was acknowledged for {STUCK_S} s; {self.where()}')

    def _is_written(self):
        return len(self._acknowledged) == len(self._lines)

    async def _writer(self, number):
        turn = number
        clients = [Client(HOST, node.http_port) for node in self.nodes]
        try:
            while self._next < len(self._lines):
                index = self._next
                self._next += 1
                if index >= self._restart_at:
                    await self._killed.wait()  # not before: the fault meets writers at work
                while not await self._write_once(clients[turn % len(clients)], index):
                    turn += 1
                    await asyncio.sleep(RETRY_PAUSE_S)
        finally:
            for client in clients:
                client.close()

    async def _write_once(self, client, index):
        """True when acknowledged. A line is its own key, so writing it again is harmless."""
        try:
            status, body = await client.request('PUT', f'/kv/{key_of(index)}', self._lines[index])
        except NotSent:
            self._no_effect += 1
            return False
        except NoAnswer:
            self._unknown += 1
            return False
        if status == 200:
            self._acknowledged.add(index)
            self._last_ack_s = time.monotonic()
            return True
        outcome = self._outcome(status, body)
        if outcome == 'not_applied':
            self._no_effect += 1
        elif outcome == 'unknown':
            self._unknown += 1
        else:
            raise DemoError(f'line {index + 1} was refused: {status} {body[:200]!r}')
        return False

    @staticmethod
    def _outcome(status, body):
        if status not in (503, 504):
            return None
        return json.loads(body).get('outcome')

    # --- the fault -----------------------------------------------------------------------------

    async def _kill_and_restart(self):
        await self._acknowledged_reach(len(self._lines) // 2)
        leader = await self._until(START_S, 'a leader of partition 1',
                                   lambda: leader_of(self.nodes, 1))
        node = self.nodes[leader - 1]
        self._down.add(node.number)
        killed_at_s = time.monotonic()
        node.kill()
        self._killed.set()
        self._say(f'node {node.number}, leader of partition 1, got SIGKILL (pid {node.pid})')
        await self._await_failover(killed_at_s)
        await self._acknowledged_reach(self._restart_at)
        node.start()
        self._down.discard(node.number)
        self._say(f'node {node.number} restarted (pid {node.pid})')

    async def _await_failover(self, killed_at_s):
        """From the kill to the first answer to a write to partition 1 that was sent after it."""
        tries = [asyncio.ensure_future(self._write_to_partition_1(node)) for node in self.nodes
                 if node.number not in self._down]
        try:
            answered, _ = await asyncio.wait(tries, timeout=FAILOVER_S,
                                             return_when=asyncio.FIRST_COMPLETED)
        finally:
            await tasks.end(tries)
        if not answered:
            self.problems.append('no failover seen: partition 1 took no write within'
                                 f' {FAILOVER_S} s of its leader\'s end')
            return
        self._failover_s = time.monotonic() - killed_at_s
        self._say(f'partition 1 answers again, {self._failover_s:.2f} s after the kill')

    @staticmethod
    async def _write_to_partition_1(node):
        client = Client(HOST, node.http_port)
        try:
            while True:
                try:
                    if (await client.request('POST', '/log/1', b'failover'))[0] == 200:
                        return
                except (NotSent, NoAnswer):
                    pass
                await asyncio.sleep(RETRY_PAUSE_S)
        finally:
            client.close()

    async def _acknowledged_reach(self, count):
        while len(self._acknowledged) < count:
            await asyncio.sleep(0.005)

    # --- reading back --------------------------------------------------------------------------

    async def _read_everything(self):
        self._phase = 'reading back'
        began_s = time.monotonic()
        readers = []
        for node in self.nodes:
            pending = iter(sorted(self._acknowledged))
            readers += [asyncio.ensure_future(self._reader(node, pending))
                        for _ in range(READERS_PER_NODE)]
        try:
            await asyncio.gather(*readers)
        finally:
            await tasks.end(readers)
        self._read_s = time.monotonic() - began_s

    async def _reader(self, node, pending):
        client = Client(HOST, node.http_port)
        try:
            for index in pending:
                status, body = await self._read(client, node, f'/kv/{key_of(index)}')
                self._read_back += 1
                if status == 200 and body == self._lines[index]:
                    continue
                self._lost.add(index)
                what = 'is not' if status == 404 else 'differs'
                self.problems.append(f'LOST: line {index + 1} {what} on node {node.number}')
        finally:
            client.close()

    async def _read(self, client, node, path):
        deadline_s = time.monotonic() + STUCK_S
        while time.monotonic() < deadline_s:
            try:
                status, body = await client.request('GET', path)
            except (NotSent, NoAnswer):
                status, body = 503, b''
            if status in (200, 404):
                return status, body
            if status not in (503, 504):
                raise DemoError(f'GET {path} on node {node.number}: {status} {body[:200]!r}')
            await asyncio.sleep(RETRY_PAUSE_S)
        raise DemoError(f'node {node.number} does not serve {path} for {STUCK_S} s')

    # --- watching ------------------------------------------------------------------------------

    async def _until(self, limit_s, what, probe):
        deadline_s = time.monotonic() + limit_s
        while time.monotonic() < deadline_s:
            self._check_nodes()
            found = await probe()
            if found is not None:
                return found
            await asyncio.sleep(0.02)
        raise DemoError(f'no {what} within {limit_s} s; {self.where()}')

    def _check_nodes(self):
        for node in self.nodes:
            if node.number not in self._down:
                node.check_alive()

    async def _show_progress(self):
        before = len(self._acknowledged)
        while True:
            await asyncio.sleep(PROGRESS_S)
            done = len(self._acknowledged)
            if self._phase == 'writing':
                self._say(f'{done:,} of {len(self._lines):,} lines acknowledged'
                          f' ({(done - before) / PROGRESS_S:,.0f}/s)')
            else:
                self._say(f'{self._phase}: {self._read_back:,} reads')
            before = done

    def _say(self, text):
        say(f'{time.monotonic() - self._begin_s:6.1f} s  {text}')
