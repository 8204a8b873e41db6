#!/usr/bin/env python3
# What docs/protocol.md promises, held against a real node: a peer that uses that page alone votes,
# follows and leads, and every row of the page's tables of bad input gets the answer that it names.
#   peer_test.py PROGRAM [unittest arguments]
import io
import json
import os
import queue
import re
import shutil
import socket
import struct
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))

import bad_input  # noqa: E402
from peer import (ACCEPTED, APPEND, APPEND_REPLY, GRANTED, HEARTBEAT, HEARTBEAT_REPLY,  # noqa: E402
                  HELLO, PRE_VOTE, READ_REPLY, READ_REQUEST, VOTE_REPLY, VOTE_REQUEST,
                  VOTES, Connection, Entry, Hello, Message, Peer, bootstrap_digest, decode_hello,
                  encode_hello, encode_message)
from support.asking import await_true, try_request  # noqa: E402
from support.nodes import HOST, Node, free_ports  # noqa: E402

PROGRAM = ''
CLUSTER = 'by the page'
INCARNATION = 0x1122334455667788


def read_page():
    with open(os.path.join(ROOT, 'docs', 'protocol.md')) as page:
        return page.read()


def bound_socket(port):
    """Nobody else gets the port; who dials it is refused until it listens."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((HOST, port))
    return bound


def application_body(kind, data):
    return struct.pack('<IHI', 1, len(kind), len(data)) + kind + data


class Cluster:
    """A process, which is node 1, and the sockets of members that are played."""

    def __init__(self, members, election_timeout_ms):
        self.folder = tempfile.mkdtemp(prefix='peer_test.')
        raft_port, http_port, *ports = free_ports(members + 1)
        self.address = (HOST, raft_port)
        self.sockets = {number: bound_socket(port) for number, port in enumerate(ports, 2)}
        everyone = [(1, raft_port), *enumerate(ports, 2)]
        text = ','.join(f'{number}={HOST}:{port}/{HOST}:{http_port if number == 1 else 9}'
                        for number, port in everyone)
        self.node = Node(1, PROGRAM, self.folder, text, http_port,
                         ('--cluster-id', CLUSTER,
                          '--election-timeout-ms', str(election_timeout_ms)))
        self.members = [number for number, _ in everyone]

    def end(self):
        self.node.ask_to_stop()
        problem = self.node.await_stop()
        for each in self.sockets.values():
            each.close()
        words = self.node.last_words()
        shutil.rmtree(self.folder)
        if problem:
            raise AssertionError(f'{problem}: {words}')

    def peer(self):
        self.sockets[2].listen()
        return Peer(CLUSTER.encode(), self.members, 2, INCARNATION, self.sockets[2], 1,
                    self.address)

    def await_ok(self, method, path, body=None):
        def ok():
            self.node.check_alive()
            status, answer = try_request(self.node, method, path, body)
            return answer if status == 200 else None
        return await_true(f'{method} {path}', ok)

    def await_listening(self):
        def listens():
            self.node.check_alive()
            with socket.socket() as probe:
                return probe.connect_ex(self.address) == 0
        await_true('the node listens to its peers', listens)


class PeerTest(unittest.TestCase):
    def start(self, members, election_timeout_ms):
        cluster = Cluster(members, election_timeout_ms)
        self.addCleanup(cluster.end)
        cluster.node.start()
        return cluster

    def await_reply(self, peer, question, kind, is_wanted):
        """Asks until there is the answer: whatever is said may be lost, and what came before the
        node was ready to answer is."""
        def answer():
            question()
            deadline = time.monotonic() + 1.0
            while (left := deadline - time.monotonic()) > 0:
                try:
                    message = peer.replies.get(timeout=left)
                except queue.Empty:
                    return None
                if message.type == kind and is_wanted(message):
                    return message
            return None
        return await_true(f'a reply of type {kind}', answer)

    def test_follows(self):
        """The node leads and needs this peer for each of its steps: two of two are a majority."""
        cluster = self.start(2, 1000)
        peer = cluster.peer()
        written = json.loads(cluster.await_ok('PUT', '/kv/a', 'written through the node'))
        index, partition = written['index'], written['partition']
        log = peer.logs[partition]
        self.assertIn(b'written through the node', log[index].body)
        self.assertEqual(log[index].index, index)
        self.assertEqual([entry.index for entry in log], list(range(len(log))))
        self.assertEqual((log[1].kind, log[1].body), (0, b''))
        self.assertEqual(struct.unpack_from('<IH', log[index].body)[0], 1)
        # A linearizable read needs the answer to a heartbeat.
        self.assertEqual(cluster.await_ok('GET', '/kv/a'), b'written through the node')
        await_true('the peer hears of the commit', lambda: peer.commits[partition] >= index)
        self.assertEqual(peer.votes[partition], 1)
        commands = [entry.body for entry in peer.logs[0] if entry.kind == 1]
        self.assertEqual(commands[0][:23], struct.pack('<IHI', 1, 11, len(commands[0]) - 21)
                         + b'_RaftSystem' + bytes((1, 1)))
        self.assertIn(struct.pack('<IQ', 2, INCARNATION), commands[0])
        # The leader answers for its commit index, with a number that is the asker's.
        reply = self.await_reply(peer, lambda: peer.say(READ_REQUEST, partition, 4711), READ_REPLY,
                                 lambda message: message.flags == 1)
        self.assertEqual(reply.numbers[0], 4711)
        self.assertGreaterEqual(reply.numbers[1], index)
        # Each of them answered: after four the first would have ended the connection.
        await_true('pings', lambda: peer.pings >= 5)
        cluster.await_ok('PUT', '/kv/a', 'still served')

    def win(self, peer, partition, last):
        """A pre-vote, then a vote, for an own log that ends with `last`."""
        term = peer.terms[partition] + 1
        granted = self.await_reply(
            peer, lambda: peer.say(VOTE_REQUEST, partition, *last, 0, term=term, flags=PRE_VOTE),
            VOTE_REPLY, lambda message: message[1] == partition and message.flags & GRANTED)
        self.assertEqual((granted.flags, granted.term), (PRE_VOTE | GRANTED, term))
        peer.terms[partition], peer.votes[partition] = term, 2
        self.await_reply(
            peer, lambda: peer.say(VOTE_REQUEST, partition, *last, 0),
            VOTE_REPLY, lambda message: message[1:6] == (partition, term, (), GRANTED, ()))
        return term

    def append(self, peer, partition, previous, commit, *entries):
        last = previous[0] + len(entries)
        self.await_reply(
            peer, lambda: peer.say(APPEND, partition, *previous, commit, entries=entries),
            APPEND_REPLY, lambda message: message.flags == ACCEPTED and message.numbers[0] == last)

    def test_leads(self):
        """The node is too patient to stand for election: this peer does, and founds the cluster."""
        cluster = self.start(2, 60000)
        peer = cluster.peer()
        term = self.win(peer, 0, (0, 0))
        self.append(peer, 0, (0, 0), 0, Entry(term, 1))
        refused = self.await_reply(peer, lambda: peer.say(APPEND, 0, 9, term, 0), APPEND_REPLY,
                                   lambda message: message.flags == 0)
        self.assertEqual(refused.numbers, (0, 9, 1, term))
        with peer.lock:
            pin = peer.hello.pin
        command = struct.pack('<BBI', 1, 1, 2) + struct.pack('<IQIQ', 1, pin, 2, INCARNATION)
        command += struct.pack('<I', 4)
        for number in range(4):
            bounds = number << 29, (number + 1 << 29) - 1
            command += struct.pack('<IQIII2I', number + 1, 1, *bounds, 2, 1, 2)
        entry = Entry(term, 2, 1, application_body(b'_RaftSystem', command), (1, 0, 2))
        self.append(peer, 0, (1, term), 1, entry)
        beat = self.await_reply(peer, lambda: peer.say(HEARTBEAT, 0, 2, 5), HEARTBEAT_REPLY,
                                lambda message: message.numbers == (5, 2))
        self.assertEqual(beat.term, term)
        # Told by the commit, the node has made the partition, and lets it be led as well.
        term = self.win(peer, 1, (0, 0))
        self.append(peer, 1, (0, 0), 0, Entry(term, 1))
        self.await_reply(peer, lambda: peer.say(HEARTBEAT, 1, 1, 1), HEARTBEAT_REPLY,
                         lambda message: message[1:4] == (1, term, (1, 1)))
        status = json.loads(cluster.await_ok('GET', '/status'))['partitions'][0]
        self.assertEqual((status['role'], status['leader'], status['committed']),
                         ('follower', 2, 1))
        connection, other = bad_input.greet(cluster.address, peer.hello)
        connection.link.close()
        self.assertEqual((other.node, other.flags), (1, 1))  # it knows the roster

    def test_bytes(self):
        """What the page shows in hexadecimal is what the peer sends."""
        connection = Connection(socket.socket())
        hello = Hello(2, 1, INCARNATION, digest=bootstrap_digest([1, 2]), nonce=1, cluster=b'kv')
        sent = connection.frame(HELLO, encode_hello(hello))
        grant = encode_message(Message(VOTE_REPLY, 3, 5, (), PRE_VOTE | GRANTED))
        sent += connection.frame(VOTES, struct.pack('<III', 2, 1, 1) + grant)
        connection.link.close()
        of_tcp = read_page().partition('\n## Discovery by multicast\n')[0]
        shown = ''.join(re.findall(r'^    ((?:[0-9a-f]{4,8} ?)+)$', of_tcp, re.MULTILINE))
        self.assertEqual(sent, bytes.fromhex(shown))

    def test_golden(self):
        """The frames that were written down when version 1 was frozen are those of this peer."""
        with open(os.path.join(ROOT, 'test', 'protocol', 'frozen_v1', 'golden_v1.hpp')) as golden:
            shown = re.findall(r'\{"([a-z-]+)",((?:\s*"[0-9a-f]+")+)\}', golden.read())
        names = ['hello', 'hello-ack', 'reject', 'ping', 'pong', 'votes', 'beats', 'appends']
        self.assertEqual([name for name, _ in shown], names)
        for expected_kind, (name, digits) in enumerate(shown, 1):
            data = bytes.fromhex(re.sub(r'[\s"]', '', digits))
            with self.subTest(name=name), socket.socket() as link:
                connection = Connection(link)
                connection.read = io.BytesIO(data).read
                kind, payload = connection.receive()
                self.assertEqual(kind, expected_kind)
                self.assertEqual(connection.frame(kind, payload), data)
                if name.startswith('hello'):
                    self.assertEqual(encode_hello(decode_hello(payload)), payload)

    def test_bad_input(self):
        text = read_page()
        promised = dict(re.findall(r'^\| ([a-e]\d+) \| .* \| ([^|]+) \|$', text, re.MULTILINE))
        self.assertEqual(list(promised), list(bad_input.ROWS), 'the rows of the page')
        caps = re.findall(r'^\| (\d) \| [a-z-]+ \| [^|]+ \| (\d+) \|$', text, re.MULTILINE)
        self.assertEqual([(int(kind), int(cap)) for kind, cap in caps],
                         list(enumerate(bad_input.PAYLOAD_MAX))[1:], 'the caps of the page')
        cluster = self.start(5, 60000)
        cluster.await_listening()
        played = bad_input.Rows(cluster, INCARNATION, CLUSTER.encode())
        for row, answer in played.run():
            with self.subTest(row=row):
                self.assertEqual(answer, promised[row])
        lost = self.start(4, 60000)
        lost.await_listening()
        with self.subTest(row='b19'):
            answer = bad_input.Rows(lost, INCARNATION, CLUSTER.encode()).play('b19')
            self.assertIn(answer, (promised['b19'], 'closed'))  # it may end before it speaks
            await_true('the node takes itself for replaced and ends', lost.node.has_ended)
            self.assertEqual(lost.node.exit_code(), 1)
            self.assertIn('replaced', lost.node.last_words())


if __name__ == '__main__':
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
