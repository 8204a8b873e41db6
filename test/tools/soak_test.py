#!/usr/bin/env python3
# The soak's arithmetic: no slice is lost but the one that was under way, none is counted twice, and
# none that failed passes. Runs fake parts on a clock of its own.
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True
TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools')
sys.path.insert(0, TOOLS)

from support import soak_parts  # noqa: E402
from support.nodes import DemoError  # noqa: E402
from support.soak import Soak, Stop, print_totals, refuse_changes  # noqa: E402
from support.soak_ledger import (BEGIN, END, Ledger, LedgerError, Row, State, Tally,  # noqa: E402
                                 parse_row)

SLICE_S = 36  # a hundredth of an hour
PAGE = f'# Title\n\nText.\n\n{BEGIN}\n| a |\n|---|\n{END}\nMore text.\n'


class FakePart:
    def __init__(self, world, name, size=10):
        self.world, self.name, self.size = world, name, size
        self.begun = []

    @staticmethod
    def options():
        return '60 s'

    def log_path(self):
        return self.world.path('log')

    def run(self, number):
        self.begun.append(number)
        self.world.now_s += SLICE_S
        self.world.on_slice(self, number)
        tally = Tally(number, number + self.size - 1, self.size, virtual_hours=0.5, faults=7,
                      operations=1000)
        if number in self.world.bad:
            tally.violations, tally.replay = 2, f'replay | {number}'
        if number in self.world.few:
            tally.replay = 'too few faults: ring 1 of 2: again'
        return tally


class Killed(Exception):
    """Stands for kill -9: nothing of the soak runs afterwards."""


class World(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        before = os.getcwd()
        os.chdir(self.folder)  # logs of failures are kept below it
        self.addCleanup(os.chdir, before)
        for name, text in (('soak.md', PAGE), ('log', 'what it said\n')):
            with open(self.path(name), 'w') as stream:
                stream.write(text)
        self.now_s = 0
        self.bad = self.few = ()
        self.on_slice = lambda part, number: None

    def path(self, name):
        return os.path.join(self.folder, name)

    def soak(self, slices, parts=None, versions=('c1', 'k1'), stop=None):
        """One run of the tool, from reading what is known to its end."""
        self.parts = parts or [FakePart(self, 'simulation')]
        soak = Soak(self.parts, Ledger(self.path('soak.md')), State(self.path('state.json')),
                    versions, stop or Stop(), lambda: self.now_s)
        with contextlib.redirect_stdout(io.StringIO()) as self.said:
            return soak.run(slices * SLICE_S)

    def rows(self):
        return Ledger(self.path('soak.md')).rows

    def kill_in_slice(self, wanted):
        def kill(_, number):
            if number == wanted:
                raise Killed()
        self.on_slice = kill
        with self.assertRaises(Killed):
            self.soak(100)
        self.on_slice = lambda part, number: None


class Counting(World):
    def test_slices_add_up_to_one_row_per_part(self):
        parts = [FakePart(self, 'simulation'), FakePart(self, 'chaos', 1)]
        self.assertTrue(self.soak(5, parts))
        first, second = self.rows()
        self.assertEqual((first.part, first.tally),
                         ('simulation', Tally(1, 30, 30, 1.5, 0.03, 21, 3000)))
        self.assertEqual((second.part, second.tally),
                         ('chaos', Tally(1, 2, 2, 1.0, 0.02, 14, 2000)))

    def test_a_second_run_goes_on_in_the_same_row(self):
        self.soak(2)
        self.soak(1)
        self.assertEqual([row.tally for row in self.rows()],
                         [Tally(1, 30, 30, 1.5, 0.03, 21, 3000)])

    def test_another_commit_or_option_has_its_own_row_and_other_seeds(self):
        self.soak(2)
        self.soak(1, versions=('c2', 'k1'))
        other = FakePart(self, 'simulation')
        other.options = lambda: '120 s'
        self.soak(1, [other], versions=('c3', 'k2'))
        self.soak(1)
        self.assertEqual([(row.key, row.tally.first, row.tally.last, row.tally.count)
                          for row in self.rows()],
                         [(('c1', 'simulation', '60 s'), 1, 50, 30),
                          (('c2', 'simulation', '60 s'), 21, 30, 10),
                          (('c3', 'simulation', '120 s'), 31, 40, 10)])
        totals = Ledger(self.path('soak.md')).totals('k1')
        self.assertEqual({what: (tally.count, tally.operations) for what, tally in totals.items()},
                         {('simulation', '60 s'): (40, 4000)})
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertTrue(print_totals(Ledger(self.path('soak.md')), 'k1'))
            print_totals(Ledger(self.path('soak.md')), 'unknown')
        self.assertRegex(said.getvalue(), r'simulation 60 s +40 .* 4,000 operations')
        self.assertIn('nothing yet', said.getvalue())

    def test_a_clone_that_has_only_the_ledger_goes_on_behind_it(self):
        self.soak(2)
        self.soak(1, versions=('c2', 'k2'))
        os.remove(self.path('state.json'))
        self.soak(1)
        self.assertEqual(self.parts[0].begun, [31])

    def test_seeds_of_a_ledger_that_was_thrown_away_are_not_run_again(self):
        self.soak(3)
        with open(self.path('soak.md'), 'w') as stream:
            stream.write(PAGE)
        self.soak(1)
        self.assertEqual(self.parts[0].begun, [31])


class Stopping(World):
    def test_a_kill_loses_the_slice_that_ran_and_nothing_else(self):
        self.kill_in_slice(31)
        self.assertEqual(self.rows(), [])
        self.soak(1)
        self.assertEqual(self.parts[0].begun, [31])
        self.assertEqual([row.tally for row in self.rows()],
                         [Tally(1, 40, 40, 2.0, 0.04, 28, 4000)])

    def test_what_a_killed_run_left_is_written_under_its_own_commit(self):
        self.kill_in_slice(21)
        self.soak(1, versions=('c2', 'k2'))
        self.assertEqual([(row.commit, row.code, row.tally.first, row.tally.last)
                          for row in self.rows()], [('c1', 'k1', 1, 20), ('c2', 'k2', 21, 30)])

    def test_a_kill_between_the_ledger_and_the_state_counts_once(self):
        self.kill_in_slice(21)
        with open(self.path('state.json')) as stream:
            before = stream.read()
        self.soak(0)
        with open(self.path('state.json'), 'w') as stream:
            stream.write(before)
        self.soak(1)
        self.assertEqual([row.tally.count for row in self.rows()], [30])
        self.assertEqual(State(self.path('state.json')).pending, [])

    def test_a_ledger_that_cannot_be_written_leaves_the_slices_where_they_are(self):
        os.mkdir(self.path('soak.md.new'))
        with self.assertRaises(OSError):
            self.soak(2)
        os.rmdir(self.path('soak.md.new'))
        self.soak(0)
        self.assertEqual([row.tally.count for row in self.rows()], [20])

    def test_a_signal_ends_the_slice_and_what_was_done_is_written(self):
        for name in (signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, name, signal.getsignal(name))
        self.addCleanup(signal.signal, signal.SIGHUP, signal.getsignal(signal.SIGHUP))
        for name in (signal.SIGINT, signal.SIGTERM):
            stop = Stop()
            stop.install()
            self.on_slice = lambda part, number: len(part.begun) == 3 and os.kill(os.getpid(), name)
            self.assertTrue(self.soak(100, stop=stop))
            self.assertEqual(len(self.parts[0].begun), 3)
        self.assertEqual([(row.tally.last, row.tally.count) for row in self.rows()], [(40, 40)])

    def test_the_time_ends_it_after_the_slice_under_way(self):
        self.soak(1.5)
        self.assertEqual(self.parts[0].begun, [1, 11])


class Failing(World):
    def test_a_violation_stops_it_and_is_written_with_its_log(self):
        self.bad = (11,)
        self.assertFalse(self.soak(100))
        self.assertEqual(self.parts[0].begun, [1, 11])
        row, = self.rows()
        self.assertEqual((row.tally.violations, row.tally.replay), (2, 'replay 11'))
        self.assertIn('| **2** | 0 | `replay 11` |', row.text())
        with open('build/soak/failures/simulation-11.log') as stream:
            self.assertEqual(stream.read(), 'what it said\n')
        with contextlib.redirect_stdout(io.StringIO()):
            self.assertFalse(print_totals(Ledger(self.path('soak.md')), 'k1'))
        self.assertTrue(self.soak(1))  # the next run goes on, and the row stays red
        self.assertEqual([row.tally.violations for row in self.rows()], [2])

    def test_a_slice_with_too_few_faults_stops_it_and_the_row_stays_red(self):
        self.few = (11,)
        self.assertFalse(self.soak(100))
        self.assertRegex(self.said.getvalue(), 'TOO FEW FAULTS: simulation')
        self.assertIn('| 0 | 0 | `too few faults: ring 1 of 2: again` |', self.rows()[0].text())
        with contextlib.redirect_stdout(io.StringIO()) as said:
            self.assertFalse(print_totals(Ledger(self.path('soak.md')), 'k1'))
        self.assertRegex(said.getvalue(), '0 violations, 0 stuck, too few faults')
        self.assertTrue(self.soak(1))
        self.assertFalse(self.rows()[0].tally.is_good)

    def test_a_damaged_state_or_ledger_is_refused(self):
        self.soak(1)
        for name, text in (('state.json', '{"next": {}}'), ('state.json', '{'),
                           ('soak.md', 'no table'),
                           ('soak.md', PAGE.replace('|---|\n', '|---|\n| c1 | k1 | 1..x |\n'))):
            with open(self.path(name)) as stream:
                before = stream.read()
            with open(self.path(name), 'w') as stream:
                stream.write(text)
            with self.assertRaises(LedgerError, msg=text):
                self.soak(1)
            with open(self.path(name), 'w') as stream:
                stream.write(before)
        self.soak(1)

    def test_slices_that_are_in_the_ledger_by_half_are_refused(self):
        ledger = Ledger(self.path('soak.md'))
        row = Row('c1', 'k1', 'today', 'simulation', '60 s', Tally(1, 20, 20))
        ledger.merge(row)
        with self.assertRaises(LedgerError):
            ledger.merge(Row(*row.key[:1], 'k1', 'today', *row.key[1:], Tally(11, 30, 20)))

    def test_a_row_is_read_as_it_was_written(self):
        row = Row('c1', 'k1', '2026-01-31', 'fuzz', 'frame',
                  Tally(5, 12345, 12341, 1234.56, 0.25, 1, 98765432, 3, 1, 'again --seeds 1..2'))
        self.assertEqual(parse_row(row.text()), row)

    def test_the_page_around_the_table_stays(self):
        self.soak(1)
        with open(self.path('soak.md')) as stream:
            text = stream.read()
        self.assertTrue(text.startswith('# Title\n\nText.\n\n' + BEGIN))
        self.assertTrue(text.endswith(END + '\nMore text.\n'))


class Commits(World):
    @unittest.skipUnless(shutil.which('git'), 'git is not installed')
    def test_what_a_slice_runs_is_what_the_commit_says(self):
        def git(*arguments):
            subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *arguments],
                           check=True, capture_output=True)
        git('init')
        for folder in ('lib', 'test', 'testing', 'tools', 'docs'):
            os.makedirs(folder)
            with open(f'{folder}/file', 'w') as stream:
                stream.write('before')
        git('add', '.')
        git('commit', '-m', 'all')
        refuse_changes()
        for folder, is_refused in (('lib', True), ('test', True), ('testing', True),
                                   ('tools', True), ('docs', False)):
            with self.subTest(folder):
                with open(f'{folder}/file', 'w') as stream:
                    stream.write('after')
                with self.assertRaises(DemoError) if is_refused else contextlib.nullcontext():
                    refuse_changes()
                git('checkout', '--', folder)


class Verdicts(World):
    """What the parts make of the output of their programs."""

    def judge(self, kind, lines, succeeded, number=101, seeds=100):
        def execute(command, environment=None):
            self.command = command
            return succeeded, lines
        part = kind(None, types.SimpleNamespace(seeds_per_slice=seeds, virtual_seconds=60, jobs=2,
                                                chaos_seconds=60, kills=100))
        part.program = part.server = part.judge = 'program'
        part.execute = execute
        self.part = part
        return part.run(number)

    def test_simulation(self):
        end = ('sim: seeds=100 virtual_hours=1.70 violations={} stuck=0 faults=12 operations=34')
        good = self.judge(soak_parts.Simulation, ['x', end.format(0)], True)
        self.assertEqual(good, Tally(101, 200, 100, 1.7, 0.0, 12, 34))
        bad = self.judge(soak_parts.Simulation,
                         ['seed 107 FAILED', '  replay: kommander-sim --seeds 107..107 --trace t',
                          end.format(1)], False)
        self.assertEqual((bad.violations, bad.replay),
                         (1, 'kommander-sim --seeds 107..107 --trace t'))
        for lines, succeeded in (([], False), (['killed'], False), ([end.format(0)], False),
                                 ([end.format(0).replace('100', '99')], True), ([], True)):
            self.assertFalse(self.judge(soak_parts.Simulation, lines, succeeded).is_good, lines)

    def test_a_simulation_needs_faults_by_its_length(self):
        end = 'sim: seeds={0} virtual_hours=1 violations=0 stuck=0 faults=12 operations=34'
        for seeds, wanted in ((1000, 250), (200, 50), (199, 0), (1, 0)):
            self.judge(soak_parts.Simulation, [end.format(seeds)], True, seeds=seeds)
            asked = self.command[self.command.index('--require-faults') + 1]
            self.assertEqual((seeds, asked), (seeds, str(wanted)))
        self.judge(soak_parts.Unasked, [end.format(1000)], True, seeds=1000)
        self.assertEqual(self.command[self.command.index('--require-faults') + 1], '100')

    def test_too_few_faults_are_no_violation_and_not_good(self):
        again = 'kommander-sim --seeds 101..1100 --virtual-seconds 60 --require-faults 250'
        end = 'sim: seeds=1000 virtual_hours=1 violations={} stuck=0 faults=12 operations=34'
        few = ['fault ring took effect 3 times, and 250 were required',
               'lies that members told: 9, and 250 were required']
        bad = self.judge(soak_parts.Simulation, [*few, end.format(0)], False, seeds=1000)
        self.assertEqual((bad.is_good, bad.violations, bad.stuck, bad.replay), (
            False, 0, 0, 'too few faults: ring 3 of 250, lies that members told 9 of 250: '
            + again))
        row = Row('c1', 'k1', '2026-01-31', 'simulation', '60 s', bad)
        self.assertEqual((parse_row(row.text()), parse_row(row.text()).tally.is_good), (row, False))
        for lines, replay in (([*few, end.format(1)], again), (few, again),
                              ([*few, '  replay: x', end.format(1)], 'x')):
            worse = self.judge(soak_parts.Simulation, lines, False, seeds=1000)
            self.assertEqual((worse.violations, worse.replay), (1, replay), lines)
            both = Tally(1, 1, 0)
            for tally in (bad, worse, bad):
                both.add(tally)
            self.assertEqual((both.violations, both.replay), (1, replay))
        lines = ['tools/chaos: too little: no fault of the kind "cut" met anything',
                 'chaos: operations=9 faults=4 failovers=30 violations={}']
        bad = self.judge(soak_parts.Chaos, [lines[0], lines[1].format(0)], False, 7)
        self.assertEqual((bad.is_good, bad.violations), (False, 0))
        self.assertRegex(bad.replay, '^too few faults: no fault .* anything: tools/chaos --sec')
        bad = self.judge(soak_parts.Chaos, [lines[0], lines[1].format(2)], False, 7)
        self.assertRegex(bad.replay, '^tools/chaos')

    def test_chaos(self):
        end = 'chaos: operations=9 acknowledged=5 unknown=1 faults=4 failovers=30 violations=0'
        self.assertEqual(self.judge(soak_parts.Chaos, ['x', end], True, 7),
                         Tally(7, 7, 1, faults=34, operations=9))
        for lines, succeeded in ((['seed 7'], False), ([end], False), (['seed 7'], True)):
            bad = self.judge(soak_parts.Chaos, lines, succeeded, 8)
            self.assertEqual(bad.replay,
                             'tools/chaos --seconds 60 --seed 8 --nodes 5 --leader-kills 30')

    def test_chaos_without_the_right_to_mount_leaves_the_full_disk_out_and_says_so(self):
        end = 'chaos: operations=9 acknowledged=5 unknown=1 faults=4 failovers=30 violations=0'
        seen = {}
        for may in (True, False):
            with mock.patch.object(soak_parts, 'may_mount', lambda: may):
                bad = self.judge(soak_parts.Chaos, [end], False, 7)
                seen[may] = ('--no-disk-full' in self.command, '--no-disk-full' in bad.replay,
                             'no full disk' in self.part.options())
        self.assertEqual(seen, {True: (False,) * 3, False: (True,) * 3})

    def test_what_comes_with_seeds_does_not_come_oftener_in_longer_ones(self):
        wanted = soak_parts.faults_wanted
        self.assertEqual(wanted(100, 120), soak_parts.FAULTS_MIN)
        self.assertEqual(wanted(200, 360), 2 * soak_parts.FAULTS_MIN)
        self.assertEqual(wanted(1000, 60), 5 * soak_parts.FAULTS_MIN)
        self.assertEqual(wanted(99, 120), 0)

    def test_every_fuzz_target_has_a_row_of_its_own(self):
        asked = []

        def fuzz(target, length):
            asked.append((target, length.executions, length.seconds))
            return types.SimpleNamespace(succeeded=target != 'bad', executions=5_000)
        part = soak_parts.Fuzz(None, types.SimpleNamespace(fuzz_seconds=30, fuzz_executions=5_000))
        part.fuzzer = types.SimpleNamespace(run=fuzz)
        part.targets = ['frame', 'hello', 'bad']
        seen = [(part.run(number), part.options()) for number in (3, 4, 5)]
        self.assertEqual(asked, [(target, 5_000, 30) for target in part.targets])
        self.assertEqual([(tally.operations, tally.is_good, options) for tally, options in seen],
                         [(5_000, True, 'frame'), (5_000, True, 'hello'), (5_000, False, 'bad')])
        self.assertEqual(seen[-1][0].replay, 'tools/fuzz --target bad')

    def test_crash_matrix(self):
        end = 'crash matrix: cases={} violations={}'
        self.assertEqual(self.judge(soak_parts.CrashMatrix, ['x', end.format(812, 0), 'passed'],
                                    True), Tally(101, 101, 1, faults=812))
        bad = self.judge(soak_parts.CrashMatrix, ['x', end.format(812, 3), 'FAILED'], False)
        self.assertEqual((bad.faults, bad.violations, bad.replay),
                         (812, 3, 'crash_matrix --all --backend rocksdb --seed 101'))
        for lines, succeeded in (([end.format(0, 0), 'passed'], True), (['passed'], True),
                                 ([end.format(812, 0), 'FAILED'], False), (['rocksdb'], True),
                                 ([end.format(812, 0)], True)):
            self.assertFalse(self.judge(soak_parts.CrashMatrix, lines, succeeded).is_good, lines)

    def test_kill_matrix(self):
        end = ('100 kills at 33 of 33 points, 16 anywhere else; 1,234 writes acknowledged,'
               ' 5,000 reads, 0 lost, 0 failed restarts, 0 problems, 77 s')
        self.assertEqual(self.judge(soak_parts.KillMatrix, ['x', end], True),
                         Tally(101, 101, 1, faults=116, operations=6234))
        self.assertFalse(self.judge(soak_parts.KillMatrix, [end], False).is_good)


class Tool(unittest.TestCase):
    def run_tool(self, *arguments):
        return subprocess.run([sys.executable, '-B', os.path.join(TOOLS, 'support', 'soak.py'),
                               *arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, 'COLUMNS': '300'})

    def test_help_names_every_part_and_default(self):
        ended = self.run_tool('--help')
        self.assertEqual(ended.returncode, 0, ended.stderr)
        for default in ('1.0', ','.join(soak_parts.PARTS)):
            self.assertIn(f'(default: {default})', ended.stdout)

    def test_the_tool_and_the_page_name_every_part(self):
        with open(os.path.join(TOOLS, 'soak')) as stream:
            head = stream.read().split('set -eu')[0]
        with open(os.path.join(TOOLS, '..', 'docs', 'soak.md')) as stream:
            page = stream.read().split(BEGIN)[0]
        for name in soak_parts.PARTS:
            self.assertRegex(head, rf'# .*\b{name}\b')
            self.assertIn(f'| `{name}` |', page)

    def test_bad_usage(self):
        for arguments in (('--only', 'nothing'), ('--jobs', '0'), ('--hours', 'long')):
            self.assertEqual(self.run_tool(*arguments).returncode, 2, arguments)


if __name__ == '__main__':
    unittest.main()
