#!/usr/bin/env python3
# What once failed does not fail again: replays every plan of faults in a folder, as the table in
# the README.md there tells, and sees to it that the fault that the plan is about still takes
# effect, since a plan that does nothing passes too.
#   regressions_test.py PROGRAM FOLDER [unittest arguments]
import os
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ''
FOLDER = ''
TIMEOUT_S = 120
ROW = re.compile(r'^\| `(\w+)` \| (\d+) \| (\d+) \| (?:–|`([^`|]+)`) \| ([a-z-]+) \| .+ \|$',
                 re.MULTILINE)
STANDS_FOR_IT = re.compile(r'\[\w+\.cpp\]\(([^)]+)\): "([^"]+)"')
GOOD = re.compile(r'^sim: seeds=1 .*\bviolations=0 stuck=0 ', re.MULTILINE)


def page(folder):
    with open(os.path.join(folder, 'README.md'), encoding='utf-8') as stream:
        return stream.read()


def rows(folder):
    """(name, seed, virtual seconds, options, fault) of each row of the table."""
    return ROW.findall(page(folder))


def replay(folder, name, seed, seconds, options):
    return subprocess.run(
        [PROGRAM, '--seeds', seed, '--virtual-seconds', seconds, '--no-shrink',
         '--plan', os.path.join(folder, name + '.plan'), *shlex.split(options)],
        text=True, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, timeout=TIMEOUT_S)


def effects(output):
    """{fault: how often it took effect}"""
    counts = re.search(r'^faults: (.*)$', output, re.MULTILINE)
    return dict((kind, int(count)) for kind, count in re.findall(r'(\S+)=(\d+)', counts.group(1)))


class Regressions(unittest.TestCase):
    def test_every_plan_has_a_row(self):
        plans = [name for name in os.listdir(FOLDER) if name.endswith('.plan')]
        self.assertTrue(plans)
        self.assertEqual(sorted(plans), sorted(f'{name}.plan' for name, *_ in rows(FOLDER)))

    def test_what_once_failed_does_not_fail_again(self):
        for name, seed, seconds, options, fault in rows(FOLDER):
            with self.subTest(name):
                ended = replay(FOLDER, name, seed, seconds, options)
                self.assertEqual(ended.returncode, 0, ended.stdout)
                self.assertRegex(ended.stdout, GOOD)
                self.assertGreaterEqual(effects(ended.stdout)[fault], 1, ended.stdout)

    def test_what_stands_for_a_defect_without_a_plan_is_there(self):
        cases = STANDS_FOR_IT.findall(page(FOLDER))
        self.assertTrue(cases)
        for path, case in cases:
            with open(os.path.join(FOLDER, path), encoding='utf-8') as stream:
                self.assertTrue(f'TEST_CASE("{case}")' in stream.read(), f'{path}: {case}')

    def test_the_options_of_a_row_are_replayed(self):
        """A ring needs four nodes; who lies or speaks unasked is counted."""
        table = ('| `plain` | 1 | 5 | – | ring | Nothing. |\n'
                 '| `with_options` | 1 | 10 | `--nodes 4 --stranger --liar` | ring | Something. |\n'
                 '| `few` | 1 | 5 | `--nodes 3 --partitions 1` | ring | A ring of all. |\n')
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, 'README.md'), 'w', encoding='utf-8') as stream:
                stream.write(table)
            found = {}
            for name, seed, seconds, options, fault in rows(folder):
                with open(os.path.join(folder, name + '.plan'), 'w', encoding='utf-8') as stream:
                    stream.write('1.000000000 3.000000000 ring 1 1 0 00\n')
                ended = replay(folder, name, seed, seconds, options)
                self.assertEqual(ended.returncode, 0, ended.stdout)
                unasked = dict(re.findall(r'\b(strange|lies)=(\d+)', ended.stdout))
                found[name] = (effects(ended.stdout)[fault], *map(int, unasked.values()))
        self.assertEqual(found['plain'][1:], (0, 0))
        self.assertEqual(found['few'], (0, 0, 0))
        self.assertEqual(found['with_options'][0], 1)
        self.assertGreater(min(found['with_options']), 0)


if __name__ == '__main__':
    PROGRAM, FOLDER = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=2)
