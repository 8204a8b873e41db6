#!/usr/bin/env python3
# A node whose disk was replaced, on real processes: it may not take part under its old id, says so
# in one line and ends; the others serve as before, in whatever order the processes start.
#   wiped_disk_test.py PROGRAM [unittest arguments]
import json
import os
import shutil
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))

from support.asking import await_true, try_request  # noqa: E402
from support.nodes import make_nodes  # noqa: E402

PROGRAM = ''
KEYS = [f'key-{number}' for number in range(32)]  # more than enough to meet every partition


class WipedDisk(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='wiped_disk_test.')
        self.addCleanup(shutil.rmtree, self.folder)
        self.nodes = make_nodes(PROGRAM, self.folder)
        self.addCleanup(self.end)

    def end(self):
        for node in self.nodes:
            node.ask_to_stop()
        for node in self.nodes:
            node.await_stop()

    def stop_all(self):
        for node in self.nodes:
            node.ask_to_stop()
        self.assertEqual([node.await_stop() for node in self.nodes], [None] * len(self.nodes))

    def await_written(self, node, value):
        for key in KEYS:
            await_true(f'node {node.number} takes a write of {key}',
                       lambda: try_request(node, 'PUT', '/kv/' + key, value)[0] == 200)

    def assert_read(self, node, value):
        for key in KEYS:
            self.assertEqual(try_request(node, 'GET', '/kv/' + key), (200, value.encode()),
                             node.number)

    def start_and_wait_until_listening(self, node):
        node.start()
        await_true(f'node {node.number} serves HTTP or has ended',
                   lambda: node.has_ended() or try_request(node, 'GET', '/status')[0] == 200)

    def check(self, order):
        for node in self.nodes:
            node.start()
        self.await_written(self.nodes[0], 'before')
        self.stop_all()
        wiped = self.nodes[2]
        os.remove(wiped.log_path)
        shutil.rmtree(os.path.join(self.folder, 'node-3'))
        for number in order:
            self.start_and_wait_until_listening(self.nodes[number - 1])
        await_true('the wiped node ends', wiped.has_ended)
        self.assertEqual(wiped.exit_code(), 1)
        with open(wiped.log_path) as log:
            lines = log.read().splitlines()
        self.assertEqual(len(lines), 1, lines)
        self.assertIn('replaced', lines[0])
        # It has changed nothing for the others, who are a quorum.
        for node in self.nodes[:2]:
            self.await_written(node, f'after {node.number}')
            for reader in self.nodes[:2]:
                self.assert_read(reader, f'after {node.number}')
            self.assertFalse(node.has_ended(), node.last_words())
        # Nobody takes it in when it tries again.
        wiped.start()
        await_true('the wiped node ends again', wiped.has_ended)
        self.assertEqual(wiped.exit_code(), 1)
        for node in self.nodes[:2]:
            self.assert_read(node, 'after 2')
            roles = [part['role'] for part in
                     json.loads(try_request(node, 'GET', '/status')[1])['partitions']]
            self.assertLessEqual(set(roles), {'leader', 'follower'})

    def test_started_first(self):
        self.check((3, 1, 2))

    def test_started_between(self):
        self.check((1, 3, 2))

    def test_started_last(self):
        self.check((1, 2, 3))


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
