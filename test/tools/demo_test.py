#!/usr/bin/env python3
# The demo's judgement: whatever a cluster does to an acknowledged line, or fails to do, the demo
# says so and ends with another code than 0. The cluster is a stub in this process; each test plants
# one fault into it.
import asyncio
import contextlib
import io
import json
import os
import socket
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools'))

from support import cluster_run, demo  # noqa: E402
from support.nodes import HOST  # noqa: E402

LINES = [f'the text of line {number}' for number in range(1, 201)]
SPOILED = cluster_run.key_of(36)


class Stub:
    """Three nodes that share one store, so they agree on everything, truthfully by default."""

    def __init__(self, keeps=lambda key, value: value, takes_over=True, hash_of=lambda number: 'a',
                 reads=lambda number, value: value, stops=lambda number: None):
        self.values = {}
        self.leader = 1
        self.keeps, self.takes_over, self.hash_of = keeps, takes_over, hash_of
        self.reads, self.stops = reads, stops
        self.nodes = [StubNode(self, number) for number in (1, 2, 3)]

    def answer(self, node, method, path, body):
        if path == '/status':
            role = 'leader' if node.number == self.leader else 'follower'
            part = {'id': 1, 'role': role, 'term': 1, 'applied': len(self.values),
                    'hash': self.hash_of(node.number)}
            return 200, json.dumps({'partitions': [part]}).encode()
        if path == '/log/1':
            return (200, b'{"index":1}') if self.leader else (503, b'{"outcome":"not_applied"}')
        key = path.rsplit('/', 1)[1]
        if method == 'PUT':
            value = self.keeps(key, body)
            if value is not None:
                self.values[key] = value
            return 200, b'{"partition":1,"index":1}'
        value = self.reads(node.number, self.values.get(key))
        return (404, b'') if value is None else (200, value)


class StubNode:
    def __init__(self, cluster, number):
        self.cluster, self.number, self.pid = cluster, number, number
        self.is_up = False
        self._socket = socket.create_server((HOST, 0))
        self.http_port = self._socket.getsockname()[1]
        self._server = None

    def start(self):
        self.is_up = True
        if self._server is None:
            self._server = asyncio.ensure_future(asyncio.start_server(self._serve,
                                                                      sock=self._socket))

    def kill(self):
        self.is_up = False
        self.cluster.leader = self.number % 3 + 1 if self.cluster.takes_over else None

    def check_alive(self):
        pass

    def ask_to_stop(self):
        if self._server is not None:
            self._server.result().close()
        self._socket.close()

    def await_stop(self):
        return self.cluster.stops(self.number)

    async def _serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            while True:
                head = (await reader.readuntil(b'\r\n\r\n')).decode()
                method, path, _ = head.split(' ', 2)
                body = await reader.readexactly(int(head.split('Content-Length: ')[1].split()[0]))
                if not self.is_up:
                    break
                status, answer = self.cluster.answer(self, method, path, body)
                writer.write(b'HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n' % (status, len(answer))
                             + answer)
        writer.close()


class Judgement(unittest.TestCase):
    def run_demo(self, lines=LINES, **faults):
        """(exit code, what it printed) of the whole demo over a stub with these faults."""
        printed = io.StringIO()
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            stack.callback(os.chdir, os.getcwd())
            os.chdir(folder)
            with open('input', 'w') as stream:
                stream.write('\n'.join(lines) + '\n')
            stub = Stub(**faults)
            stack.enter_context(mock.patch.object(demo, 'make_nodes', lambda *_: stub.nodes))
            stack.enter_context(mock.patch.object(sys, 'argv', ['demo', '--program', 'none',
                                                                '--input', 'input']))
            stack.enter_context(mock.patch.dict(os.environ, {'KOMMANDER_CALLED_FROM': folder}))
            stack.enter_context(mock.patch.object(cluster_run, 'FAILOVER_S', 0.3))
            stack.enter_context(mock.patch.object(cluster_run, 'AGREE_S', 0.5))
            stack.enter_context(contextlib.redirect_stdout(printed))
            stack.enter_context(contextlib.redirect_stderr(printed))
            code = demo.main()
        return code, printed.getvalue()

    def assert_fails(self, words, **faults):
        code, printed = self.run_demo(**faults)
        self.assertEqual(code, 1, printed)
        self.assertIn(words, printed)
        return printed

    def test_a_truthful_cluster_succeeds(self):
        code, printed = self.run_demo()
        self.assertEqual(code, 0, printed)
        self.assertRegex(printed, r'acknowledged +200\n')
        self.assertRegex(printed, r'lost +0\n')
        self.assertRegex(printed, r'read back, three nodes +600\n')

    def test_a_single_line_sees_the_whole_demo(self):
        code, printed = self.run_demo(lines=['alone'])
        self.assertEqual(code, 0, printed)
        self.assertIn('SIGKILL', printed)
        self.assertRegex(printed, r'failover +[0-9.]+ s\n')

    def test_a_dropped_line_is_lost(self):
        printed = self.assert_fails('LOST: line 37 is not on node 3',
                                    keeps=lambda key, value: None if key == SPOILED else value)
        self.assertRegex(printed, r'lost +1\n')

    def test_an_altered_line_is_lost(self):
        printed = self.assert_fails('LOST: line 37 differs on node 1',
                                    keeps=lambda key, value: b'x' if key == SPOILED else value)
        self.assertRegex(printed, r'lost +1\n')

    def test_a_line_that_one_node_has_not_is_lost(self):
        printed = self.assert_fails('LOST: line 1 is not on node 2',
                                    reads=lambda number, value: None if number == 2 else value)
        self.assertNotIn('on node 1', printed)
        self.assertRegex(printed, r'lost +200\n')

    def test_without_a_failover_nothing_was_shown(self):
        printed = self.assert_fails('no failover seen', takes_over=False)
        self.assertRegex(printed, r'failover +none seen\n')

    def test_hashes_that_differ(self):
        self.assert_fails('partition 1: nodes differ at index 200', hash_of=str)

    def test_a_node_that_does_not_stop_well(self):
        self.assert_fails('node 2 ended with 1',
                          stops=lambda number: 'node 2 ended with 1' if number == 2 else None)


if __name__ == '__main__':
    unittest.main()
