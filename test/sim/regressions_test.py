#!/usr/bin/env python3
# What once failed does not fail again: replays every plan of faults in a folder, as the table in
# the README.md there tells, and sees to it that the fault that the plan is about still takes
# effect, since a plan that does nothing passes too.
#   regressions_test.py PROGRAM FOLDER [unittest arguments]
import os
import re
import subprocess
import sys
import unittest

PROGRAM = ''
FOLDER = ''
TIMEOUT_S = 120
ROW = re.compile(r'^\| `(\w+)` \| (\d+) \| (\d+) \| ([a-z-]+) \| .+ \|$', re.MULTILINE)
GOOD = re.compile(r'^sim: seeds=1 .*\bviolations=0 stuck=0 ', re.MULTILINE)


def rows():
    """(name, seed, virtual seconds, fault) of each row of the table."""
    with open(os.path.join(FOLDER, 'README.md'), encoding='utf-8') as stream:
        return ROW.findall(stream.read())


def replay(name, seed, seconds):
    return subprocess.run(
        [PROGRAM, '--seeds', seed, '--virtual-seconds', seconds, '--no-shrink',
         '--plan', os.path.join(FOLDER, name + '.plan')],
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
        self.assertEqual(sorted(plans), sorted(f'{name}.plan' for name, *_ in rows()))

    def test_what_once_failed_does_not_fail_again(self):
        for name, seed, seconds, fault in rows():
            with self.subTest(name):
                ended = replay(name, seed, seconds)
                self.assertEqual(ended.returncode, 0, ended.stdout)
                self.assertRegex(ended.stdout, GOOD)
                self.assertGreaterEqual(effects(ended.stdout)[fault], 1, ended.stdout)


if __name__ == '__main__':
    PROGRAM, FOLDER = (os.path.abspath(sys.argv.pop(1)) for _ in range(2))
    unittest.main(verbosity=2)
