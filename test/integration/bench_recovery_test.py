#!/usr/bin/env python3
# What bench_recovery owes to those who read its results: each of its measurements comes to its end
# and says what it measured. Runs are as short as can be: no size of a number is judged.
#   bench_recovery_test.py PROGRAM [unittest arguments]
import json
import os
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ''
TIMEOUT_S = 300


class BenchRecovery(unittest.TestCase):
    def measure(self, name, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'result.json')
            ended = subprocess.run([PROGRAM, name, '--data-dir', folder, '--json', file,
                                    '--outstanding', '64', *arguments], text=True, check=False,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, timeout=TIMEOUT_S)
            self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
            with open(file) as stream:
                result = json.load(stream)
            self.assertEqual(os.listdir(folder), ['result.json'])
        for number in result.values():
            self.assertGreater(number, 0, result)
        return result

    def test_restart(self):
        result = self.measure('restart', '--entries', '3000', '--rounds', '2')
        self.assertGreaterEqual(result['entries'], 3000)
        rate = result['restored'] / result['restart_seconds']
        self.assertAlmostEqual(result['entries_per_second'] / rate, 1, delta=0.5)

    def test_snapshot(self):
        result = self.measure('snapshot', '--state-mib', '8', '--rounds', '1')
        least = min(result['sha256_mib_per_second'], result['write_mib_per_second'])
        self.assertAlmostEqual(result['transfer_mib_per_second'] / least /
                               result['transfer_to_lesser'], 1, delta=0.1)

    def test_catch_up(self):
        result = self.measure('catch-up', '--entries', '3000', '--seconds', '0.5')
        self.assertGreaterEqual(result['missed_entries'], 3000)

    def test_checkpoint(self):
        self.measure('checkpoint', '--seconds', '0.5', '--rounds', '1')

    def test_a_measurement_has_to_be_named(self):
        ended = subprocess.run([PROGRAM], text=True, check=False, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn('subcommand', ended.stderr)


if __name__ == '__main__':
    PROGRAM = sys.argv.pop(1)
    unittest.main()
