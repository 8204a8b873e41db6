#!/usr/bin/env python3
# What bench_replicate owes to those who read its results: every field, a number that can be, in
# one flat object; and what it refuses. Runs are as short as can be: no size of a number is judged.
#   bench_replicate_test.py PROGRAM [unittest arguments]
import json
import os
import socket
import subprocess
import sys
import tempfile
import unittest

PROGRAM = ''
TIMEOUT_S = 60
POSITIVE = ('commits_per_second', 'p50_us', 'p99_us', 'p999_us', 'max_us', 'syncs_per_commit',
            'bytes_written_per_commit', 'cpu_seconds_per_million_commits', 'peak_rss_mib_per_node',
            'raw_fdatasync_per_second', 'raw_fdatasync_p50_us', 'raw3_fdatasync_p50_us')
SHORT = ('--seconds', '0.3', '--warmup-seconds', '0.1', '--probe-seconds', '0.1')


def run(*arguments):
    with tempfile.TemporaryDirectory(dir='.') as folder:
        return subprocess.run([PROGRAM, '--data-dir', folder, *arguments], text=True, check=False,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=TIMEOUT_S)


def no_repetition(pairs):
    names = [name for name, _ in pairs]
    assert len(names) == len(set(names)), f'a field comes twice: {sorted(names)}'
    return dict(pairs)


class BenchReplicate(unittest.TestCase):
    def measure(self, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'result.json')
            ended = run(*arguments, *SHORT, '--json', file)
            self.assertEqual((ended.returncode, ended.stderr), (0, ''))
            with open(file) as stream:
                text = stream.read()
        self.assertEqual(text.count('{'), 1, text)
        self.assertNotIn('[', text)
        result = json.loads(text, object_pairs_hook=no_repetition)
        for name in POSITIVE:
            self.assertIn(type(result.get(name)), (int, float), name)
            self.assertGreater(result[name], 0, name)
        self.assertLessEqual(result['p50_us'], result['p99_us'])
        self.assertLessEqual(result['p99_us'], result['p999_us'])
        self.assertLessEqual(result['p999_us'], result['max_us'])
        self.assertEqual(result['errors'], 0)
        # The rate is that of the commits counted, in the time that was measured.
        self.assertAlmostEqual(result['commits'] / result['seconds'] / result['commits_per_second'],
                               1, delta=0.2)
        for name, value in zip(arguments[::2], arguments[1::2]):
            self.assertEqual(str(result[name.lstrip('-')]), value, name)
        return result

    def test_in_one_process_on_the_memory_parts(self):
        self.measure('--nodes', '3', '--partitions', '2', '--payload', '100', '--outstanding', '8',
                     '--batch', '2', '--wal', 'memory', '--transport', 'memory')

    def test_in_processes_of_their_own_on_a_disk(self):
        result = self.measure('--nodes', '3', '--partitions', '1', '--payload', '128',
                              '--outstanding', '16', '--wal', 'rocksdb', '--transport', 'tcp',
                              '--processes')
        self.assertIs(result['processes'], True)
        # Each node writes what is committed, and syncs no more than once for each.
        self.assertGreater(result['bytes_written_per_commit'], 128)
        self.assertLess(result['syncs_per_commit'], 2)

    def test_calls_take_turns(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'result.json')
            ended = run('--calls', 'write,session,manual,read', '--rounds', '2', '--outstanding',
                        '8', '--wal', 'memory', '--transport', 'memory', *SHORT, '--json', file)
            self.assertEqual((ended.returncode, ended.stderr), (0, ''))
            with open(file) as stream:
                result = json.load(stream, object_pairs_hook=no_repetition)
        self.assertEqual((result['rounds'], result['errors']), (2, 0))
        for call in ('write', 'session', 'manual', 'read'):
            self.assertGreater(result[f'{call}_per_second'], 0)
            self.assertLessEqual(result[f'{call}_p50_us'], result[f'{call}_p99_us'])
        for call in ('session', 'manual', 'read'):
            ratio = f'{call}_to_write'
            self.assertLessEqual(result[f'{ratio}_least'], result[ratio])
            self.assertLessEqual(result[ratio], result[f'{ratio}_most'])

    def test_logs_and_transports_take_turns(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, 'result.json')
            ended = run('--wal', 'memory,sqlite', '--transport', 'memory,rest', '--rounds', '2',
                        '--outstanding', '8', '--election-timeout-ms', '200', *SHORT,
                        '--json', file)
            self.assertEqual((ended.returncode, ended.stderr), (0, ''))
            with open(file) as stream:
                result = json.load(stream, object_pairs_hook=no_repetition)
        self.assertEqual((result['rounds'], result['errors']), (2, 0))
        self.assertEqual((result['wal'], result['transport']), ('memory,sqlite', 'memory,rest'))
        pairs = [f'{wal}_{transport}' for wal in ('memory', 'sqlite')
                 for transport in ('memory', 'rest')]
        self.assertEqual([name for name in result if name.endswith('_per_second')],
                         [f'{pair}_per_second' for pair in pairs])
        for pair in pairs:
            self.assertGreater(result[f'{pair}_per_second'], 0)
        for pair in pairs[1:]:
            self.assertGreater(result[f'{pair}_to_memory_memory'], 0)

    def test_in_processes_that_speak_rest(self):
        result = self.measure('--nodes', '3', '--outstanding', '16', '--wal', 'sqlite',
                              '--transport', 'rest', '--processes')
        self.assertIs(result['processes'], True)

    def test_bad_usage(self):
        for arguments in (('--calls', 'write,write'), ('--calls', 'shout'), ('--calls', ''),
                          ('--rounds', '0'),
                          ('--processes', '--transport', 'tcp,memory'), ('--transport', ''),
                          ('--transport', 'tcp,tcp'), ('--wal', 'memory,'),
                          ('--transport', 'tcp,rest', '--calls', 'write,read'), ('--nodes', '0'),
                          ('--nodes', 'three'), ('--wal', 'paper'), ('--frobnicate', '1'),
                          ('--seconds',)):
            ended = run(*arguments)
            self.assertEqual((ended.returncode, ended.stdout), (2, ''), arguments)
            self.assertEqual(len(ended.stderr.splitlines()), 1, ended.stderr)

    def test_a_node_that_cannot_join_says_why(self):
        with socket.create_server(('127.0.0.1', 0)) as taken:
            port = str(taken.getsockname()[1])
            with tempfile.TemporaryDirectory(dir='.') as folder:
                child = subprocess.run([PROGRAM, '--nodes', '1', '--data-dir', folder + '/node',
                                        '--child-node', '1', '--child-ports', port],
                                       input='start\n', text=True, stdout=subprocess.PIPE,
                                       check=False, timeout=TIMEOUT_S)
        self.assertEqual(child.returncode, 1)
        self.assertIn(port, child.stdout)


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
