#!/usr/bin/env python3
# kommander-sim as a program: its exit codes, its last line, 64-bit seeds, and that a seed is a run.
#   kommander_sim_test.py PROGRAM [unittest arguments]
import os
import re
import signal
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ''
TIMEOUT_S = 120
LAST_LINE = re.compile(r'sim: seeds=(\d+) virtual_hours=(\d+\.\d\d) violations=(\d+) stuck=(\d+)'
                       r' faults=(\d+) operations=(\d+)')
SEED_LINE = re.compile(r'^seed (\d+): .* hash ([0-9a-f]{16}), (\d+) acked, (\d+) reads$',
                       re.MULTILINE)
SEED_MAX = 2**64 - 1


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], text=True, check=False, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=TIMEOUT_S)


def await_workers(program, count):
    workers = []
    while len(workers) < count:
        if program.poll() is not None:
            raise AssertionError(f'it ended before it had {count} workers')
        with open(f'/proc/{program.pid}/task/{program.pid}/children', encoding='ascii') as stream:
            workers = [int(worker) for worker in stream.read().split()]
    return workers


def has_simulated(process):
    """Whether it has used time of a processor by itself, proc(5)."""
    with open(f'/proc/{process}/stat', encoding='ascii') as stream:
        return int(stream.read().rpartition(')')[2].split()[11]) > 0


class KommanderSim(unittest.TestCase):
    def simulate(self, seeds, *arguments):
        """({seed: hash}, the numbers of the last line) of a run that finds nothing."""
        ended = run('--seeds', seeds, '--verbose', *arguments)
        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        last = LAST_LINE.fullmatch(ended.stdout.splitlines()[-1])
        self.assertIsNotNone(last, ended.stdout)
        self.assertTrue(ended.stdout.endswith('\n'))
        numbers = [float(number) for number in last.groups()]
        found = {int(seed): digest for seed, digest, *_ in SEED_LINE.findall(ended.stdout)}
        self.assertEqual(numbers[0], len(found))
        self.assertEqual(numbers[2:4], [0, 0])
        return found, numbers

    def test_seeds_have_64_bits_and_both_ends_are_run(self):
        found, _ = self.simulate(f'{SEED_MAX - 1}..{SEED_MAX}', '--virtual-seconds', '2')
        self.assertEqual(set(found), {SEED_MAX - 1, SEED_MAX})
        found, _ = self.simulate('0..4', '--virtual-seconds', '2', '--jobs', '3')
        self.assertEqual(set(found), set(range(5)))
        found, _ = self.simulate(str(SEED_MAX), '--virtual-seconds', '2', '--jobs', '7')
        self.assertEqual(set(found), {SEED_MAX})

    def test_a_seed_is_a_run(self):
        first, numbers = self.simulate('7..9', '--virtual-seconds', '20')
        again, numbers_again = self.simulate('7..9', '--virtual-seconds', '20', '--jobs', '1')
        self.assertEqual((first, numbers), (again, numbers_again))
        self.assertEqual(len(set(first.values())), 3)
        # Three times 20 s with faults, and what it took to recover; in hours.
        self.assertGreaterEqual(numbers[1], round(3 * 20 / 3600, 2))
        self.assertGreater(numbers[4], 0)
        longer, _ = self.simulate('7', '--virtual-seconds', '21')
        self.assertNotEqual(longer[7], first[7])

    def test_without_faults(self):
        _, numbers = self.simulate('3', '--virtual-seconds', '5', '--no-faults', '--nodes', '3',
                                   '--partitions', '2')
        self.assertEqual(numbers[4], 0)
        self.assertGreater(numbers[5], 0)

    def test_traces_are_equal_byte_for_byte(self):
        with tempfile.TemporaryDirectory() as folder:
            traces = []
            for name in ('one', 'two'):
                path = os.path.join(folder, name)
                self.simulate('5', '--virtual-seconds', '5', '--trace', path)
                with open(path, 'rb') as stream:
                    traces.append(stream.read())
            self.assertEqual(*traces)
            self.assertGreater(len(traces[0]), 1000)

    def assert_refused(self, *arguments):
        ended = run(*arguments)
        self.assertEqual(ended.returncode, 2, (arguments, ended.stdout, ended.stderr))
        self.assertTrue(ended.stderr.strip(), arguments)
        self.assertNotIn('sim: ', ended.stdout)

    def test_bad_usage(self):
        for seeds in ('', '..', '1..', '..1', '2..1', 'x', '-1', '1..x', '1..2..3', '1.5',
                      str(SEED_MAX + 1), f'0..{SEED_MAX + 1}', ' 1', '1 '):
            self.assert_refused('--seeds', seeds)
        self.assert_refused('--seeds', '1', '--virtual-seconds', '0')
        self.assert_refused('--seeds', '1', '--virtual-seconds', 'many')
        self.assert_refused('--seeds', '1', '--nodes', '8')
        self.assert_refused('--seeds', '1', '--partitions', '0')
        self.assert_refused('--seeds', '1', '--jobs', '0')
        self.assert_refused('--seeds', '1', '--watchdog', 'never')
        self.assert_refused('--frobnicate')
        self.assert_refused('--seeds', '1..2', '--trace', 'nowhere')

    def test_a_trace_that_cannot_be_written(self):
        with tempfile.TemporaryDirectory() as folder:
            for path in (os.path.join(folder, 'missing', 'trace'), folder):
                self.assert_refused('--seeds', '1', '--virtual-seconds', '1', '--trace', path)
        # The disk that fills up under the trace; the seed itself has been run.
        ended = run('--seeds', '1', '--virtual-seconds', '1', '--trace', '/dev/full')
        self.assertEqual(ended.returncode, 2)
        self.assertIn('/dev/full', ended.stderr)

    def test_a_worker_that_stands_still_is_ended(self):
        with subprocess.Popen([PROGRAM, '--seeds', '5', '--virtual-seconds', '1000000',
                               '--watchdog', '1'], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as program:
            worker, = await_workers(program, 1)
            os.kill(worker, signal.SIGSTOP)
            try:
                output, _ = program.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.kill(worker, signal.SIGKILL)
                raise
        self.assertEqual(program.returncode, 1, output)
        self.assertIn('seed 5 FAILED: virtual time has not moved for 1 s', output)
        self.assertIn('replay: kommander-sim --seeds 5..5 --virtual-seconds 1000000', output)
        self.assertRegex(output.splitlines()[-1], r'^sim: seeds=0 .* violations=1 ')

    def test_workers_end_with_whoever_started_them(self):
        # A worker that never writes would not notice by itself. While one lives, so does its end
        # of the pipe.
        with subprocess.Popen([PROGRAM, '--seeds', '5', '--virtual-seconds', '1000000'], text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT) as program:
            worker, = await_workers(program, 1)
            while not has_simulated(worker):
                self.assertIsNone(program.poll())
            os.kill(worker, signal.SIGSTOP)
            program.kill()
            try:
                program.communicate(timeout=TIMEOUT_S)
            except subprocess.TimeoutExpired:
                os.kill(worker, signal.SIGKILL)
                raise

    def test_the_plan_of_a_seed_that_ends_its_worker_is_cut_down(self):
        arguments = ('--seeds', '10', '--virtual-seconds', '20', '--nodes', '3')
        ended = run(*arguments, '--abort-after', 'pause')
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn('seed 10 FAILED: the worker was ended by signal 6\n', ended.stdout)
        enough = re.search(r'^seed 10, which ended its worker:\n'
                           r'  1 of (\d+) faults are enough, by \d+ more runs;.*\n'
                           r'#.*\n(\S+ \S+ pause .*\n)', ended.stdout, re.MULTILINE)
        self.assertIsNotNone(enough, ended.stdout)
        self.assertGreater(int(enough.group(1)), 5)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'plan')
            with open(path, 'w', encoding='ascii') as stream:
                stream.write(enough.group(2))
            ended = run(*arguments, '--abort-after', 'pause', '--plan', path)
            self.assertIn('  1 of 1 faults are enough, by 1 more runs;', ended.stdout)
            self.assertEqual(run(*arguments, '--plan', path).returncode, 0)
        ended = run(*arguments, '--abort-after', 'pause', '--no-shrink')
        self.assertNotIn('are enough', ended.stdout)
        self.assertIn('  replay: ', ended.stdout)

    def test_speed_is_measured_and_may_be_required(self):
        arguments = ('--seeds', '1..4', '--virtual-seconds', '5', '--jobs', '2')
        ended = run(*arguments, '--require-speed', '1')
        self.assertEqual(ended.returncode, 0, ended.stdout)
        self.assertRegex(ended.stdout, r'(?m)^cpu_seconds=\S+ virtual_per_cpu=\d+'
                                       r' of_each_worker=\d+,\d+$')
        ended = run(*arguments, '--require-speed', '1000000000')
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn('worker 2 came to ', ended.stdout)

    def test_what_strangers_and_liars_say_is_counted_and_demanded(self):
        arguments = ('--seeds', '1..2', '--virtual-seconds', '5', '--no-faults', '--nodes', '3',
                     '--stranger', '--liar')
        ended = run(*arguments)
        self.assertEqual(ended.returncode, 0, ended.stdout)
        for what in ('strange', 'lies'):
            count = int(re.search(rf'\b{what}=(\d+)', ended.stdout).group(1))
            self.assertGreater(count, 100)
        ended = run(*arguments, '--require-faults', '1000000000')
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn('messages of a stranger that nodes were handed: ', ended.stdout)
        self.assertIn('lies that nodes were handed: ', ended.stdout)

    def test_long_stalls_of_disks_are_counted_and_demanded(self):
        arguments = ('--seeds', '1..20', '--virtual-seconds', '30')
        ended = run(*arguments)
        self.assertEqual(ended.returncode, 0, ended.stdout)
        stalls, of_a_second = (
            int(re.search(rf'^faults: .* {kind}=(\d+)', ended.stdout, re.MULTILINE).group(1))
            for kind in ('disk-stall', 'long-disk-stall'))
        self.assertGreater(of_a_second, 0)
        self.assertGreater(stalls, of_a_second)
        ended = run(*arguments, '--require-faults', str(of_a_second + 1))
        self.assertEqual(ended.returncode, 1, ended.stdout)
        self.assertIn(f'fault long-disk-stall took effect {of_a_second} times, and'
                      f' {of_a_second + 1} were required', ended.stdout)

    def test_help(self):
        ended = run('--help')
        self.assertEqual(ended.returncode, 0)
        self.assertIn('--seeds', ended.stdout)


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
