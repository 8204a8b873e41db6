# Leaders killed one after the other, and how long nobody answered for each of them.
import asyncio
import time

from support.chaos_judgement import failover, told
from support.cluster_status import leader_of
from support.nodes import DemoError

LEADER_S = 30
PROBES = 2  # per surviving node
PROBE_PAUSE_S = 0.005
WARM_UP_S = 0.2  # the probes are at work when the leader dies


class LeaderKills:
    """`session` makes a client, `probe` watches the machine, `down` are nodes that may be dead."""

    def __init__(self, nodes, session, probe, down, tell):
        self.done = []
        self._nodes = nodes
        self._session = session
        self._probe = probe
        self._down = down
        self._tell = tell

    async def kill(self, partition, timeout_s):
        """Kills the leader, and starts it anew once the others have acknowledged a write. Nothing
        is done when an election comes between."""
        leader = await leader_of(self._nodes, partition)
        if leader is None:
            self._tell(f'partition {partition} has no leader to kill')
            return
        node = self._nodes[leader - 1]
        span_ns = await self._kill(node, partition)
        if span_ns is None:
            self._tell(f'node {leader} leads partition {partition} no more, and lives')
            return
        found = failover(len(self.done) + 1, *span_ns, self._probe.samples())
        self.done.append(found)
        self._tell(f'leader kill {found.number}: node {leader} of partition {partition},'
                   f' {told(found, timeout_s)}')
        node.start()
        self._down.discard(node.number)

    async def _kill(self, node, partition):
        """From SIGKILL to the first acknowledgement of a write that was sent after it; None: the
        node led no more, and lives."""
        first = asyncio.get_running_loop().create_future()
        killed_ns = []
        probes = [asyncio.ensure_future(self._ask(through, partition, killed_ns, first))
                  for through in range(len(self._nodes)) if through != node.number - 1
                  for _ in range(PROBES)]
        try:
            await asyncio.sleep(WARM_UP_S)
            if await leader_of(self._nodes, partition) != node.number:
                return None
            self._down.add(node.number)
            killed_ns.append(time.monotonic_ns())
            node.kill()
            done, _ = await asyncio.wait([first, *probes], timeout=LEADER_S,
                                         return_when=asyncio.FIRST_COMPLETED)
            if first in done:
                return killed_ns[0], first.result()
            for probe in done:
                probe.result()  # it ends before the first answer only with an error
            raise DemoError(f'partition {partition} did not answer for {LEADER_S} s after its'
                            ' leader was killed')
        finally:
            first.cancel()
            await asyncio.wait(probes)

    async def _ask(self, through, partition, killed_ns, first):
        session = self._session()
        calls = 0
        try:
            while not first.done():
                calls += 1
                record = await session.append(through, partition, f'{session.number}.{calls}')
                is_after = killed_ns and record['call_ns'] > killed_ns[0]
                if record['outcome'] == 'ok' and is_after and not first.done():
                    first.set_result(record['return_ns'])
                await asyncio.sleep(PROBE_PAUSE_S)
        finally:
            session.close()
