#!/usr/bin/env python3
# kommander-server as a person meets it: its help, what it refuses, a node by itself, a cluster
# whose leader is asked to stop.
#   server_test.py PROGRAM [unittest arguments]
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))

from support.asking import await_true  # noqa: E402
from support.nodes import HOST, die_with_parent, free_ports  # noqa: E402

PROGRAM = ''
DEADLINE_S = 60.0


def run(*arguments):
    return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=DEADLINE_S)


def choices(option):
    """What this build can be told: the range in the option's help."""
    [words] = re.findall(re.escape(option) + r'=[^()]*\(([a-z, ]+)\)', run('--help').stdout)
    return words.split(', ')


class Server:
    def __init__(self, folder, *arguments):
        self.folder = folder
        self.arguments = arguments
        self._log = tempfile.NamedTemporaryFile(dir=folder, suffix='.out', delete=False)
        self._errors = tempfile.NamedTemporaryFile(dir=folder, suffix='.err', delete=False)
        self.process = subprocess.Popen([PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self._log, stderr=self._errors, cwd=folder,
                                        preexec_fn=die_with_parent)

    def output(self):
        with open(self._log.name) as stream:
            return stream.read()

    def errors(self):
        with open(self._errors.name) as stream:
            return stream.read()

    def await_line(self, pattern, times=1):
        def is_there():
            found = len(re.findall(pattern, self.output(), re.MULTILINE)) >= times
            if not found and self.process.poll() is not None:
                raise AssertionError(f'ended with {self.process.returncode}: {self.errors()}')
            return found
        await_true(f'{pattern!r} in the output', is_there)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_S)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()
        self._errors.close()


class ServerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='server_test.')
        self.servers = []

    def tearDown(self):
        for server in self.servers:
            server.end()
        shutil.rmtree(self.folder)

    def start(self, *arguments):
        self.servers.append(Server(self.folder, *arguments))
        return self.servers[-1]

    def write(self, name, **configuration):
        path = os.path.join(self.folder, name)
        with open(path, 'w') as stream:
            json.dump(configuration, stream)
        return path

    def test_help_names_every_key_with_its_default(self):
        done = run('--help')
        self.assertEqual(done.returncode, 0)
        with open(os.path.join(ROOT, 'docs', 'configuration.md')) as stream:
            rows = re.findall(r'^\| `([a-z_]+)` \|[^|]*\| *(?:`([^`]*)`)?', stream.read(),
                              re.MULTILINE)
        self.assertGreater(len(rows), 40)
        own = {'listen': '127.0.0.1:2070', 'initial_partitions': '16', 'id': '1'}
        for name, default in rows:
            option = '--' + name.replace('_', '-')
            value = own.get(name, default)
            pattern = r'( \S+)?' + re.escape(f'={value}') if value else ''
            self.assertRegex(done.stdout, re.escape(option) + pattern + r'\s')
        for option in ('--wal', '--data-directory', '--transport', '--discovery', '--config',
                       '--demo-interval-ms', '--check-config', '--stop-timeout-ms'):
            self.assertIn(option, done.stdout)

    def test_every_problem_is_told_at_once(self):
        path = self.write('bad.json', id=0, speed=1, wal='paper', demo_tasks=0)
        done = run('--check-config', '--config', path, '--election-timeout-ms', '5',
                   '--allow-unprotected', 'perhaps')
        self.assertEqual(done.returncode, 2)
        self.assertEqual(done.stdout, '')
        self.assertEqual(done.stderr.splitlines(), [
            f'kommander-server: {path}: /demo_tasks: is 0, must be 1 to 1000',
            f'kommander-server: {path}: /speed: is no key of a configuration',
            f'kommander-server: {path}: /wal: is "paper", must be ' + ', '.join(choices('--wal')),
            f'kommander-server: {path}: /id: is 0, must be 1 to 4294967295',
            'kommander-server: --allow-unprotected: is "perhaps", must be true or false',
            'kommander-server: --election-timeout-ms: is 5 ms, must be 10 ms to 300000 ms',
        ])

    def test_what_a_command_line_cannot_be(self):
        for arguments, answer in (
                (('--config', '/nowhere'), '--config: /nowhere cannot be read'),
                (('--config', self.folder), f'--config: {self.folder} cannot be read'),
                (('--listen', '0.0.0.0:2070'), 'nothing is encrypted or authenticated'),
                (('--http-listen', '0.0.0.0:2080'), 'http'),
                (('--initial-members', '1=127.0.0.1'), '--initial-members/0/endpoint: is'),
                (('--speed', '1'), '--speed')):
            done = run(*arguments)
            self.assertEqual(done.returncode, 2, arguments)
            self.assertIn(answer, done.stderr)

    def test_what_is_in_order(self):
        path = self.write('good.json', id=3, cluster_id='harbour', demo_interval_ms=0,
                          initial_members=[{'id': 3, 'endpoint': '127.0.0.1:7001'}])
        done = run('--check-config', '--config', path, '--listen', '0.0.0.0:7001',
                   '--allow-unprotected', 'true')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertEqual(done.stdout, 'kommander-server: nothing is wrong\n')
        self.assertEqual(os.listdir(self.folder), ['good.json'])

    def test_a_node_by_itself(self):
        [port] = free_ports(1)
        arguments = ('--listen', f'{HOST}:{port}', '--initial-partitions', '2',
                     '--demo-interval-ms', '50')
        has_http = '--http-listen' in run('--help').stdout
        http = ('--http-listen', f'{HOST}:{free_ports(1)[0]}') if has_http else ()
        server = self.start(*arguments, *http)
        server.await_line(rf'^node 1 is ready, listening on {HOST}:{port}, with 2 partitions$')
        for partition in (1, 2):
            server.await_line(rf'^partition {partition}: 360 entries, 0 writes failed,'
                              r' checkpoint at index \d+$')
        if http:
            url = f'http://{http[1]}/v1/cluster'
            with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:
                self.assertEqual(json.load(answer)['clusterId'], 'kommander')
        self.assertEqual(server.terminate(), 0)
        [delivered] = re.findall(r'^stopped after (\d+) entries$', server.output(), re.MULTILINE)
        self.assertGreaterEqual(int(delivered), 720)
        # What it kept is where it is looked for by default, and belongs to it.
        again = self.start(*arguments)
        again.await_line('is ready')
        second = self.start('--listen', f'{HOST}:{free_ports(1)[0]}')
        self.assertEqual(second.process.wait(DEADLINE_S), 1)
        self.assertIn('kommander-data', second.errors())
        self.assertEqual(again.terminate(), 0)

    def test_a_cluster_whose_leader_is_asked_to_stop(self):
        logs = [wal for wal in choices('--wal') if wal != 'memory']  # a node of it cannot come back
        for wal in logs:
            for transport in choices('--transport') if wal == logs[0] else ['tcp']:
                with self.subTest(wal=wal, transport=transport):
                    self.check_cluster(wal, transport)

    def check_cluster(self, wal, transport):
        ports = free_ports(3)
        members = [{'id': number, 'endpoint': f'{HOST}:{port}'}
                   for number, port in enumerate(ports, 1)]
        name = f'{wal}-{transport}'
        path = self.write(f'{name}.json', wal=wal, transport=transport, initial_members=members,
                          initial_partitions=3, election_timeout_ms=500, demo_interval_ms=100,
                          demo_tasks=1, demo_rounds=2)

        def start(number):
            return self.start('--config', path, '--id', str(number), '--listen',
                              f'{HOST}:{ports[number - 1]}', '--data-directory',
                              f'{name}-{number}')
        nodes = {number: start(number) for number in (1, 2, 3)}
        for node in nodes.values():
            node.await_line('is ready')

        def leader_of_1():
            writes = re.compile('^partition 1: 18 entries', re.MULTILINE)
            return next((number for number, node in nodes.items()
                         if writes.search(node.output())), None)
        await_true('a leader of partition 1 that writes', leader_of_1)
        left = leader_of_1()
        self.assertEqual(nodes[left].terminate(), 0)
        text = nodes[left].output()
        [target] = re.findall(r'^partition 1: handed over to node (\d)$', text, re.MULTILINE)
        self.assertNotEqual(int(target), left)
        self.assertRegex(text, r'stopped after \d+ entries\n\Z')
        nodes[int(target)].await_line('^partition 1: 18 entries, 0 writes failed, checkpoint at')
        nodes[left] = start(left)
        nodes[left].await_line('is ready')
        for node in nodes.values():
            self.assertEqual(node.terminate(), 0)


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
