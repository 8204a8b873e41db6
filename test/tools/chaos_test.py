#!/usr/bin/env python3
# The judgement of a chaos run beside its histories: which failovers are late and which of them the
# machine excuses, which faults took effect, and what a run has to come to.
import asyncio
import collections
import os
import sys
import tempfile
import threading
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools'))

from support import chaos, chaos_judgement, faults, stall_probe  # noqa: E402
from support.chaos_judgement import (Failover, failover, failover_problems,  # noqa: E402
                                     fault_problems, longest_within)
from support.faults import Faults, SmallDisk  # noqa: E402
from support.links import Link  # noqa: E402
from support.nodes import DemoError, Node  # noqa: E402
from support.soak_parts import number_after  # noqa: E402
from support.stall_probe import Sample, StallProbe  # noqa: E402

T_S = 0.3
BOUND_S = 1.7  # 4T + 0.5
GOOD = Failover(1, BOUND_S, 9.0, 9.0)
EXCUSED = Failover(2, 2.0, 0.16, 0.0)


class Window(unittest.TestCase):
    def test_only_the_part_within_counts(self):
        for spans, longest in (([], 0), ([(0, 9), (21, 40)], 0), ([(0, 10), (20, 30)], 0),
                               ([(0, 13)], 3), ([(16, 99)], 4), ([(0, 99)], 10),
                               ([(12, 13), (14, 19), (19, 20)], 5), ([(10, 20)], 10)):
            self.assertEqual(longest_within(spans, 10, 20), longest, spans)

    def test_lateness_and_syncs_are_told_apart(self):
        samples = [Sample(0, 100, 100), Sample(1_000, 1_300, 2_500), Sample(2_600, 2_700, 2_710)]
        self.assertEqual(failover(7, 1_000, 4_000, samples), (7, 3e-6, 1.2e-6, 3e-7))

    def test_what_is_under_way_counts(self):
        entered, leave = threading.Event(), threading.Event()

        def stall(_):
            entered.set()
            leave.wait()
        with tempfile.TemporaryDirectory() as folder, mock.patch('os.fdatasync', stall):
            probe = StallProbe(os.path.join(folder, 'probe'))
            try:
                self.assertTrue(entered.wait(60))
                first, second = (probe.samples()[-1] for _ in range(2))
                self.assertEqual(first[:2], second[:2])
                self.assertLessEqual(first.due_ns, first.woke_ns)
                self.assertLess(first.synced_ns, second.synced_ns)
            finally:
                leave.set()
                probe.close()

    def test_the_probe_appends_within_its_bounds(self):
        synced, sizes = threading.Semaphore(0), []

        def sync(descriptor):
            sizes.append(os.fstat(descriptor).st_size)
            synced.release()
        with tempfile.TemporaryDirectory() as folder, mock.patch('os.fdatasync', sync), \
                mock.patch.multiple(stall_probe, PERIOD_NS=0, FILE_BYTES_MAX=1024, KEPT=3):
            probe = StallProbe(os.path.join(folder, 'probe'))
            for _ in range(9):
                self.assertTrue(synced.acquire(timeout=60))
            self.assertLessEqual(len(probe.samples()), 4)
            probe.close()
        self.assertEqual(sizes[:4], [512, 1024, 512, 1024])

    def test_a_probe_that_ended_is_no_stall(self):
        for error in (OSError('broken'), TypeError('broken')):
            with tempfile.TemporaryDirectory() as folder, \
                    mock.patch('os.fdatasync', side_effect=error):
                probe = StallProbe(os.path.join(folder, 'probe'))
                probe._thread.join(60)
                with self.assertRaisesRegex(DemoError, 'broken'):
                    probe.samples()
                probe.close()


class Failovers(unittest.TestCase):
    def problems(self, failovers, asked=0):
        return list(failover_problems(failovers, T_S, asked))

    def test_within_the_bound_nothing_has_to_be_excused(self):
        self.assertEqual(self.problems([GOOD, Failover(2, 0.4, 0.0, 0.0)] * 20, 40), [])

    def test_a_late_one_needs_a_stall_beyond_half_a_timeout(self):
        self.assertEqual(self.problems([EXCUSED]), [])
        self.assertEqual(self.problems([Failover(1, 2.0, 0.0, 0.151)]), [])
        for sync_s, lateness_s in ((0.0, 0.0), (0.15, 0.15)):
            problem, = self.problems([Failover(5, 1.71, sync_s, lateness_s)])
            self.assertIn('leader kill 5', problem)
            self.assertIn('no stall', problem)

    def test_a_late_one_is_told_with_what_the_machine_did(self):
        self.assertEqual(chaos_judgement.told(GOOD, T_S), 'answered again after 1.70 s')
        told = chaos_judgement.told(Failover(1, 2.0, 0.16, 0.051), T_S)
        for part in ('2.00 s', '1.70 s', '0.160 s', '0.051 s'):
            self.assertIn(part, told)

    def test_more_than_a_twentieth_of_twenty_may_not_be_late_with_or_without_a_stall(self):
        for late, of, is_good in ((1, 20, True), (2, 20, False), (1, 30, True), (2, 30, False),
                                  (2, 40, True), (3, 40, False), (19, 19, True)):
            found = self.problems([EXCUSED] * late + [GOOD] * (of - late), of)
            self.assertEqual(found == [], is_good, (late, of, found))

    def test_fewer_than_asked_are_a_problem(self):
        self.assertEqual(len(self.problems([GOOD] * 19, 20)), 1)
        self.assertEqual(len(self.problems([], 1)), 1)
        self.assertEqual(self.problems([], 0), [])

    def test_the_default_is_enough_for_the_share_and_bounded(self):
        found = [chaos_judgement.leader_kills_default(seconds) for seconds in (1, 30, 60, 3600)]
        self.assertEqual(found, [20, 20, 30, 100])

    def test_quantiles(self):
        found = [chaos_judgement.quantile(range(20), share) for share in (0.5, 0.95, 1.0)]
        self.assertEqual(found, [10, 19, 19])


class Demands(unittest.TestCase):
    def test_every_kind_is_demanded_once_a_run_is_long_enough(self):
        effective = collections.Counter(cut=50)
        self.assertEqual(list(fault_problems(['cut', 'kill'], effective, 24)), [])
        problem, = fault_problems(['cut', 'kill'], effective, 25)
        self.assertIn('"kill"', problem)
        effective['kill'] += 1
        self.assertEqual(list(fault_problems(['cut', 'kill'], effective, 60)), [])

    def test_by_then_each_lane_has_dealt_every_kind(self):
        some = Faults([FakeNode(1)], FakeNetwork([]), FakeDisk(), 1, 4, None)
        lanes = (some._process_kinds, some._network_kinds)
        self.assertEqual(max(map(len, lanes)), faults.KINDS_PER_LANE_MAX)
        self.assertEqual(faults.DECK_S_MAX, 22.5)
        self.assertLess(faults.DECK_S_MAX, chaos_judgement.KINDS_DEMANDED_S)

    def test_one_fault_in_four_seconds_and_some_load_are_demanded(self):
        self.assertEqual(len(list(fault_problems(['cut'], collections.Counter(cut=4), 20))), 1)
        self.assertEqual(list(fault_problems(['cut'], collections.Counter(cut=5), 20)), [])
        self.assertEqual(len(list(chaos_judgement.load_problems(99, 20))), 1)
        self.assertEqual(list(chaos_judgement.load_problems(100, 20)), [])


class FakeNode:
    def __init__(self, number, is_up=True):
        self.number, self.is_up = number, is_up

    def runs(self):
        return self.is_up

    def act(self):
        pass

    start = pause = resume = act

    def kill(self, allowed=()):
        pass


class FakeDisk:
    @staticmethod
    def fill():
        return 1 << 20

    @staticmethod
    def empty():
        pass


class FakeLink(Link):
    def __init__(self, source, target, is_up):
        super().__init__(source, target, 0, 0)
        self.is_up = is_up

    def is_alive(self):
        return self.is_up and not self._is_cut


class FakeNetwork:
    def __init__(self, links):
        self.links = links

    def of(self, _):
        return self.links


class Effects(unittest.TestCase):
    """What is counted as a fault, and what is dealt again."""

    def order(self, kind, is_up, links=()):
        some = Faults([FakeNode(1, is_up), FakeNode(2)], FakeNetwork(links), FakeDisk(), 1, 4,
                      lambda _: None)
        kinds = {**some._process_kinds, **some._network_kinds}
        asyncio.run(kinds[kind](self.chance(), 1, 0))
        return some.effective[kind]

    def chance(self, dice=0.0):
        return types.SimpleNamespace(random=lambda: dice, choice=lambda some: some[0],
                                     uniform=lambda low, _: low)

    def test_a_process_has_to_run(self):
        for kind in ('kill', 'kill all', 'freeze'):
            self.assertEqual([self.order(kind, is_up) for is_up in (True, False)], [1, 0], kind)

    def test_a_disk_is_full_for_a_process_that_runs(self):
        self.assertEqual([self.order('disk full', is_up) for is_up in (True, False)], [1, 0])

    def test_a_link_has_to_be_alive(self):
        for kind in ('cut', 'isolate', 'deaf', 'delay', 'half open'):
            found = [self.order(kind, True, [FakeLink(2, 1, is_up), FakeLink(1, 2, is_up)])
                     for is_up in (True, False)]
            self.assertEqual(found, [1, 0], kind)

    def test_one_link_is_chosen_among_those_that_are_alive(self):
        for kind in ('cut', 'half open'):
            self.assertEqual(self.order(kind, True, [FakeLink(2, 1, False), FakeLink(1, 2, True)]),
                             1, kind)

    def test_a_deaf_node_has_to_be_spoken_to_and_a_mute_one_to_speak(self):
        for dice, is_deaf in ((0.9, True), (0.1, False)):
            for to_node in (True, False):
                some = Faults([FakeNode(1)], FakeNetwork(
                    [FakeLink(2, 1, to_node), FakeLink(1, 2, not to_node)]), None, 1, 4, None)
                asyncio.run(some._deafen(self.chance(dice), 1, 0))
                self.assertEqual(some.effective['deaf'], to_node == is_deaf, (dice, to_node))

    def test_what_met_nothing_is_dealt_again_in_the_same_deck(self):
        link = FakeLink(2, 1, False)

        async def run():
            misses = []

            def tell(text):
                if text == 'cut: nothing was there to be hit':
                    misses.append(text)
                    link.is_up = len(misses) == 5
            some = Faults([FakeNode(1), FakeNode(2)], FakeNetwork([link]), None, 1, 4, tell)
            kinds = {'cut': some._cut, 'kill': some._kill}
            lane = asyncio.ensure_future(some._lane(kinds, some._connected))
            while some.effective['cut'] < 1:
                await asyncio.sleep(0)
            lane.cancel()
            await asyncio.wait([lane])
            return some
        with mock.patch.multiple(faults, PAUSE_S=(0, 0), LENGTH_S=(0, 0), LOOK_S=0), \
                mock.patch.object(faults, 'leader_of', mock.AsyncMock(return_value=None)):
            some = asyncio.run(run())
        self.assertEqual((some.ordered['cut'], some.effective['cut']), (6, 1))
        self.assertEqual((some.ordered['kill'], some.effective['kill']), (1, 1))

    def fill_disk_of(self, script, is_mended=False):
        """What is said of a node whose process does as the script says while its disk is full."""
        with tempfile.TemporaryDirectory() as folder:
            node = Node(1, '/bin/sh', folder, '', 0)
            node._command = ['/bin/sh', '-c', script]
            disk = FakeDisk()
            disk.is_full = lambda: is_mended
            some = Faults([node], FakeNetwork([]), disk, 1, 4, lambda _: None)
            some._network.heal = lambda: None
            node.start()
            if 'sleep' not in script:
                node._process.wait(60)
            try:
                some.mend() if is_mended else asyncio.run(some._fill_disk(self.chance(), 1, 0))
            finally:
                node._process.kill()
                node._process.wait()

    def test_on_a_full_disk_a_node_goes_on_or_ends_in_order(self):
        for is_mended in (False, True):
            for script in ('exec sleep 600', 'exit 1'):
                self.fill_disk_of(script, is_mended)
            for script, told in (('echo assertion; kill -ABRT $$', 'exit -6.*assertion'),
                                 ('kill -SEGV $$', 'exit -11'), ('exit 0', 'exit 0'),
                                 ('exit 66', 'exit 66')):
                with self.assertRaisesRegex(DemoError, told, msg=script):
                    self.fill_disk_of(script, is_mended)

    def test_who_was_dead_before_the_kill_is_a_problem(self):
        with tempfile.TemporaryDirectory() as folder:
            node = Node(1, '/bin/sh', folder, '', 0)
            node._command = ['/bin/sh', '-c', 'exit 1']
            some = Faults([node], FakeNetwork([]), None, 1, 4, lambda _: None)
            for kind in (some._kill, some._kill_all):
                node.start()
                node._process.wait(60)
                with self.assertRaisesRegex(DemoError, 'before it was killed'):
                    asyncio.run(kind(self.chance(), 1, 0))

    def test_a_disk_that_cannot_be_had_is_a_problem(self):
        refused = types.SimpleNamespace(returncode=32, stderr='mount: permission denied\n')
        with tempfile.TemporaryDirectory() as folder, \
                mock.patch('subprocess.run', return_value=refused):
            with self.assertRaisesRegex(DemoError, '--no-disk-full.*permission denied'):
                SmallDisk(folder)


class LastLine(unittest.TestCase):
    def line(self, failovers, *options):
        with mock.patch.object(sys, 'argv', ['chaos', *options]):
            arguments = chaos.parse()
        run = types.SimpleNamespace(
            recorder=types.SimpleNamespace(operations=9, acknowledged=5, unknown=1),
            faults=types.SimpleNamespace(ordered=collections.Counter(cut=7),
                                         effective=collections.Counter({'cut': 4, 'disk full': 2})),
            failovers=failovers)
        return chaos.last_line(run, arguments, ['one'])

    def test_it_carries_what_a_ledger_takes(self):
        line = self.line([Failover(1, 0.25, 0, 0), Failover(2, 0.5, 0, 0), EXCUSED])
        wanted = {'operations': 9, 'ordered': 7, 'faults': 6, 'disk_full': 2, 'failovers': 3,
                  'late': 1, 'p50_s': 0.5, 'p95_s': 2, 'max_s': 2, 'violations': 1}
        self.assertEqual({name: number_after(name, line) for name in wanted}, wanted, line)

    def test_it_says_what_was_left_out(self):
        line = self.line([], '--no-disk-full', '--leader-kills', '0')
        self.assertIn(' disk_full=left-out failovers=0 late=0 violations=1', line)


if __name__ == '__main__':
    unittest.main()
