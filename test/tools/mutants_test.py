#!/usr/bin/env python3
# What counts as a mutant that was noticed: no failure that happens without it, no slow machine; and
# what never ends is told apart. The programs are a stub: what each of their runs comes to, is said
# by the test.
import contextlib
import io
import os
import re
import sys
import types
import unittest
from unittest import mock

sys.dont_write_bytecode = True
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
sys.path.insert(0, os.path.join(ROOT, 'test', 'mutants'))

import measure  # noqa: E402
import run  # noqa: E402

GOOD, BAD, HANG = (0, 'fine\n'), (1, 'x == 1\n'), (None, '')
CORE = measure.Mutant('vote_twice', 'elections', 'two votes', 'it votes twice')


def seed_failed(seed):
    return 1, f'seed {seed} FAILED\n  log matching: at 7\n'


class Programs(unittest.TestCase):
    """`self.ends(suite or (first, last) seed, mutant)` says how a run ends."""

    def setUp(self):
        self.ran = []
        self.ends = lambda what, mutant: GOOD
        measure.is_bad_anyway.cache_clear()
        measure.commands_of.cache_clear()
        for name, value in (('execute', self.execute), ('nodes_commands', lambda program: [
                [program, 'one'], [program, 'two']])):
            patch = mock.patch.object(measure, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.control = measure.Control('build', 60)

    def execute(self, command, mutant, limit_s):
        programs = {os.path.join('build', program): suite for suite, program in
                    measure.PROGRAMS.items()}
        what = programs.get(command[0])
        if what is None:
            what = tuple(int(seed) for seed in command[command.index('--seeds') + 1].split('..'))
        self.ran.append((what, mutant, limit_s))
        return self.ends(what, mutant)

    def try_suites(self, mutant=CORE):
        with contextlib.redirect_stderr(io.StringIO()) as self.said:
            return measure.try_suites(mutant, self.control)

    def controls(self):
        return [what for what, mutant, _ in self.ran if not mutant]


class Suites(Programs):
    def test_the_first_that_notices_is_the_one_and_the_later_ones_are_not_run(self):
        self.ends = lambda what, mutant: BAD if mutant and what != 'core' else GOOD
        self.assertEqual(self.try_suites(), {'suite': 'scripts', 'why': 'x == 1', 'hangs': False})
        self.assertEqual({what for what, _, _ in self.ran}, {'core', 'scripts'})

    def test_nothing_counts_when_a_suite_fails_without_any_mutant(self):
        self.ends = lambda what, mutant: BAD
        with self.assertRaises(measure.BrokenBuild):
            self.try_suites()

    def test_a_failure_of_threads_counts_when_the_same_command_is_good_without_the_mutant(self):
        self.ends = lambda what, mutant: BAD if mutant and what == 'nodes' else GOOD
        self.assertEqual(self.try_suites()['suite'], 'nodes')
        self.assertEqual(self.ran[-1][:2], ('nodes', ''))

    def test_a_failure_of_threads_that_comes_again_without_the_mutant_is_none(self):
        # The control, two commands, is good by luck.
        self.ends = lambda what, mutant: (BAD if what == 'nodes' and
                                          (mutant or self.controls().count('nodes') > 2) else GOOD)
        self.assertIsNone(self.try_suites()['suite'])
        self.assertIn('nodes fails without vote_twice too', self.said.getvalue())

    def test_a_failure_of_the_pure_core_needs_no_second_run(self):
        self.ends = lambda what, mutant: BAD if mutant else GOOD
        self.try_suites()
        self.assertEqual(self.controls(), ['core'])

    def test_a_hang_is_told_apart_and_is_none_when_it_hangs_without_the_mutant(self):
        self.ends = lambda what, mutant: HANG if mutant else GOOD
        self.assertEqual(self.try_suites(),
                         {'suite': 'core', 'why': 'it never ends', 'hangs': True})
        self.assertEqual(self.controls(), ['core', 'core'])
        self.setUp()
        self.ends = lambda what, mutant: (HANG if what == 'core' and
                                          (mutant or self.controls().count('core') > 1) else GOOD)
        self.assertIsNone(self.try_suites()['suite'])

    def test_what_is_below_the_nodes_has_suites_of_its_own(self):
        for breaks, suites in measure.BELOW.items():
            self.ran.clear()
            self.try_suites(CORE._replace(breaks=breaks))
            self.assertEqual({what for what, mutant, _ in self.ran if mutant}, set(suites))


class Simulation(Programs):
    def first_bad_seed(self, seeds_max=32):
        with contextlib.redirect_stdout(io.StringIO()):
            return measure.first_bad_seed(self.control, 'vote_twice', 1, seeds_max)

    def test_the_first_seed_that_fails_by_the_mutant(self):
        self.ends = lambda what, mutant: (seed_failed(5) if mutant and what[0] <= 5 <= what[1]
                                          else GOOD)
        self.assertEqual(self.first_bad_seed(), (5, 'log matching'))

    def test_a_seed_that_fails_anyway_proves_nothing(self):
        self.ends = lambda what, mutant: seed_failed(5) if what[0] <= 5 <= what[1] else GOOD
        self.assertIsNone(self.first_bad_seed())

    def test_a_range_that_did_not_end_is_slow_unless_one_of_its_seeds_stands_still(self):
        self.ends = lambda what, mutant: HANG if mutant and what == (9, 32) else GOOD
        self.assertIsNone(self.first_bad_seed())
        self.assertIn(((32, 32), 'vote_twice'), [one[:2] for one in self.ran])
        self.ends = lambda what, mutant: HANG if mutant and what[0] <= 12 <= what[1] else GOOD
        self.assertEqual(self.first_bad_seed(), (12, 'virtual time stands still'))

    def test_a_long_range_may_take_longer(self):
        self.control._seed_s = 1.0
        self.assertEqual(self.control.simulation_limit_s(1), measure.HANG_S_MIN)
        self.assertEqual(self.control.simulation_limit_s(372), 372 * measure.HANG_FACTOR)
        self.first_bad_seed(500)
        limits_s = {what: limit_s for what, _, limit_s in self.ran}
        self.assertEqual(limits_s[(129, 500)], 372 * measure.HANG_FACTOR)

    def test_many_bad_seeds_without_a_mutant_end_it(self):
        def all_bad(what, mutant):
            return 1, ''.join(seed_failed(seed)[1] for seed in range(what[0], what[1] + 1))
        for ends in (all_bad, lambda what, mutant: HANG):
            self.ends = ends
            with self.assertRaises(measure.BrokenBuild):
                self.first_bad_seed()


class Shares(unittest.TestCase):
    def test_each_offset_has_other_mutants_and_all_of_them_together_every_one(self):
        names = [f'm{number}' for number in range(10)]

        def chosen(every, offset, only=''):
            return run.chosen_names(names, types.SimpleNamespace(every=every, offset=offset,
                                                                 only=only))
        self.assertEqual(chosen(1, 12345), names)
        self.assertEqual(chosen(4, 0), ['m0', 'm4', 'm8'])
        self.assertEqual(chosen(4, 4 * 1000 + 3), ['m3', 'm7'])
        self.assertEqual(sorted(name for offset in range(4) for name in chosen(4, offset)), names)
        self.assertEqual(chosen(4, 1, 'm8,m2'), ['m8', 'm2'])


class Table(unittest.TestCase):
    def test_what_never_ends_is_told_apart(self):
        results = {}
        for name, hangs in (('a', True), ('b', False)):
            results[name] = {'suite': {'suite': 'nodes', 'why': '', 'hangs': hangs}}
        mutants = [CORE._replace(name=name) for name in results]
        head, lines = run.describe(mutants, results)
        self.assertIn('| `a` | it votes twice | two votes | nodes (never ends) | – | – |', lines)
        self.assertIn('| `b` | it votes twice | two votes | nodes | – | – |', lines)
        self.assertIn('2 caught', head)
        self.assertIn('1 of them because a test never ended', head)

    def test_rows_that_are_not_measured_again_stay(self):
        def simulated(seeds, missed, why):
            return {'suite': {'suite': None, 'why': '', 'hangs': False},
                    'simulation': {'seeds': seeds, 'missed': missed, 'why': why}}
        results = {'a': {'suite': {'suite': 'nodes', 'why': 'x', 'hangs': True}},
                   'b': simulated([3, 4], 0, 'one | two'), 'c': simulated([440, 7], 1, 'three')}
        mutants = [CORE._replace(name=name) for name in 'abc']
        head, lines = run.describe(mutants, results)
        told = run.told_results(lines)
        self.assertEqual(set(told), set(results))
        self.assertEqual(run.describe(mutants, told), (head, lines))
        told['c'] = simulated([2], 0, 'four')
        _, changed = run.describe(mutants, told)
        self.assertEqual([line for line in changed if '`c`' in line],
                         ['| `c` | it votes twice | two votes | – | 2 | four |'])
        self.assertEqual([line for line in changed if '`a`' in line or '`b`' in line],
                         [line for line in lines if '`a`' in line or '`b`' in line])


class Classes(unittest.TestCase):
    """The table of docs/testing.md that says which mutant stands for which known failure."""
    CLASSES = 61

    def setUp(self):
        with open(os.path.join(ROOT, 'docs', 'testing.md')) as stream:
            table = re.search('<!-- classes: begin -->\n(.*?)<!-- classes: end', stream.read(),
                              re.DOTALL).group(1)
        self.rows = [[cell.strip() for cell in line.strip('|').split('|')]
                     for line in table.splitlines()[2:]]

    def test_every_class_has_one_row(self):
        numbers = [row[0] for row in self.rows if row[0] != '–']
        self.assertEqual(numbers, [str(number) for number in range(1, self.CLASSES + 1)])

    def test_the_mutants_are_those_of_the_list(self):
        with open(os.path.join(ROOT, 'lib', 'mutants', 'list.inc')) as stream:
            listed = re.findall(r'^X\((\w+),', stream.read(), re.MULTILINE)
        told = [name for row in self.rows for name in re.findall('`([^`]+)`', row[2])]
        self.assertEqual(set(listed) - set(told), set(), 'the table lacks them')
        self.assertEqual(set(told) - set(listed), set(), 'there are no such mutants')
        self.assertEqual(len(told), len(set(told)), 'a mutant stands in two rows')

    def test_the_tests_exist_and_no_class_is_left_open(self):
        for number, failure, mutants, tests in self.rows:
            for path in re.findall('`([^`]+)`', tests):
                self.assertTrue(os.path.isfile(os.path.join(ROOT, 'test', path)), path)
            self.assertNotIn(tests, ('', '–'), failure)
            self.assertEqual('no such code yet' in tests, '`' not in mutants + tests and
                             'simulation' not in tests, number)


if __name__ == '__main__':
    unittest.main()
