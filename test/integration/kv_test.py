#!/usr/bin/env python3
# The HTTP contract of kommander-kv, walked through on three real processes with RocksDB: what every
# route answers, what bad input gets, what a killed leader and a lost quorum do to it.
#   kv_test.py PROGRAM tcp|rest [unittest arguments]
# The nodes speak to each other over the transport that is named.
# The tests run in the order of their names and share the cluster.
import concurrent.futures
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, 'tools'))

from support.asking import await_true, request  # noqa: E402
from support.nodes import HOST, free_ports, make_nodes  # noqa: E402

PROGRAM = TRANSPORT = ''
DEADLINE_S = 30.0
PARTITIONS = 4
MIB = 1 << 20


def request_json(node, method, path, body=None, headers=None):
    status, answer = request(node, method, path, body, headers)
    return status, json.loads(answer)


def swap(node, expect, value):
    body = json.dumps({'expect': expect, 'value': value})
    return request_json(node, 'POST', '/kv/swapped/cas', body)


def exchange(node, text, answers):
    """Sends raw bytes and reads that many answers; fewer when the connection ends."""
    with socket.create_connection((HOST, node.http_port), timeout=DEADLINE_S) as link:
        link.sendall(text)
        stream = link.makefile('rb')
        found = []
        while len(found) < answers:
            line = stream.readline()
            if not line:
                break
            length = 0
            while (header := stream.readline()) not in (b'\r\n', b''):
                name, value = header.split(b':', 1)
                if name.lower() == b'content-length':
                    length = int(value)
            found.append((int(line.split()[1]), stream.read(length)))
        return found


def status_of(node):
    try:
        status, answer = request_json(node, 'GET', '/status')
    except OSError:
        return None
    return answer if status == 200 else None


def partition_of(node, number):
    answer = status_of(node)
    return answer['partitions'][number - 1] if answer else None


class KvTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix='kv_test.')
        cls.nodes = make_nodes(PROGRAM, cls.folder, options=('--transport', TRANSPORT))

    @classmethod
    def tearDownClass(cls):
        for node in cls.nodes:
            node.ask_to_stop()
        problems = [problem for node in cls.nodes if (problem := node.await_stop())]
        logs = {node.number: node.last_words() for node in cls.nodes}
        shutil.rmtree(cls.folder)
        if problems:
            raise AssertionError(f'{problems} {logs}')

    def await_listening(self, node):
        def listens():
            node.check_alive()
            return status_of(node) is not None
        await_true(f'node {node.number} serves HTTP', listens)

    def await_leaders(self, nodes):
        """Every one of the nodes knows one and the same living leader of every partition."""
        alive = {node.number for node in nodes}

        def agreed():
            views = [status_of(node) for node in nodes]
            if None in views:
                return False
            for number in range(PARTITIONS):
                leaders = {view['partitions'][number]['leader'] for view in views}
                if len(leaders) != 1 or not leaders <= alive:
                    return False
            return True
        await_true('all partitions have a leader', agreed)

    def await_equal(self):
        """All nodes have applied the same, up to the same position."""
        def equal():
            views = [status_of(node) for node in self.nodes]
            if None in views:
                return False
            pairs = [[(p['applied'], p['hash']) for p in view['partitions']] for view in views]
            return all(pair == pairs[0] for pair in pairs)
        await_true('applied and hash are equal everywhere', equal)

    def leader_of(self, partition):
        number = partition_of(self.nodes[0], partition)['leader']
        return self.nodes[number - 1]

    def stop(self, node):
        begin = time.monotonic()
        node.ask_to_stop()
        self.assertIsNone(node.await_stop())
        self.assertLess(time.monotonic() - begin, 5.0)

    def put(self, node, key, value):
        status, answer = request_json(node, 'PUT', '/kv/' + key, value)
        self.assertEqual(status, 200, answer)
        self.assertEqual(set(answer), {'partition', 'index'})
        self.assertIn(answer['partition'], range(1, PARTITIONS + 1))
        return answer

    # --- Without a quorum ---

    def test_01_alone(self):
        node = self.nodes[0]
        node.start()
        self.await_listening(node)
        answer = status_of(node)
        self.assertEqual(answer['id'], 1)
        self.assertEqual([p['id'] for p in answer['partitions']], [1, 2, 3, 4])
        for partition in answer['partitions']:
            self.assertIsNone(partition['leader'])
            self.assertRegex(partition['hash'], '^[0-9a-f]{16}$')
            self.assertIn(partition['role'], ('leader', 'follower', 'candidate', 'learner'))
        for method, path, body in (('PUT', '/kv/a', 'x'), ('GET', '/kv/a', None),
                                   ('GET', '/kv/a?local=1', None),
                                   ('DELETE', '/kv/a', None), ('POST', '/log/1', 'x'),
                                   ('POST', '/kv/a/cas', '{"expect":null,"value":null}')):
            status, answer = request_json(node, method, path, body)
            self.assertEqual((status, answer['outcome']), (503, 'not_applied'), (method, path))
            self.assertIn('error', answer)
        self.assertEqual(request_json(node, 'GET', '/log/1'), (200, []))
        self.stop(node)

    # --- All is well ---

    def test_02_start(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self.await_listening(node)
        self.await_leaders(self.nodes)

    def test_03_values(self):
        for writer in self.nodes:
            key = f'value-{writer.number}'
            first = self.put(writer, key, 'one')
            second = self.put(writer, key, b'\xc3\xa9t\xc3\xa9')
            self.assertEqual(first['partition'], second['partition'])
            self.assertLess(first['index'], second['index'])
            for reader in self.nodes:
                self.assertEqual(request(reader, 'GET', '/kv/' + key), (200, b'\xc3\xa9t\xc3\xa9'))
            status, answer = request_json(writer, 'DELETE', '/kv/' + key)
            self.assertEqual((status, answer['existed']), (200, True))
            self.assertEqual((set(answer), answer['partition']),
                             ({'partition', 'index', 'existed'}, first['partition']))
            self.assertEqual(request_json(writer, 'DELETE', '/kv/' + key)[1]['existed'], False)
            for reader in self.nodes:
                self.assertEqual(request(reader, 'GET', '/kv/' + key)[0], 404)

    def test_04_reads_are_linearizable(self):
        for turn in range(200):
            writer = self.nodes[turn % 3]
            reader = self.nodes[(turn + 1 + turn // 3 % 2) % 3]
            self.put(writer, 'counter', str(turn))
            self.assertEqual(request(reader, 'GET', '/kv/counter'), (200, str(turn).encode()))

    def test_05_sizes_and_keys(self):
        for node in self.nodes:  # one leads, the others forward
            self.put(node, 'empty', '')
            self.assertEqual(request(node, 'GET', '/kv/empty'), (200, b''))
            self.put(node, 'large', 'x' * MIB)
            self.assertEqual(request(node, 'GET', '/kv/large'), (200, b'x' * MIB))
            self.assertEqual(request(node, 'PUT', '/kv/large', 'x' * (MIB + 1))[0], 413)
            self.assertEqual(request(node, 'PUT', '/kv/large', 'x' * (40 * MIB))[0], 413)
            self.assertEqual(request(node, 'POST', '/log/1', 'x' * (MIB + 1))[0], 413)
            self.put(node, 'k' * 512, 'long')
            self.assertEqual(request(node, 'GET', '/kv/' + '%6b' * 512), (200, b'long'))
            self.put(node, 'a%2Fb%00%ff%3F', 'odd')
            self.assertEqual(request(node, 'GET', '/kv/a%2fb%00%FF%3f'), (200, b'odd'))
            every_byte = ''.join(f'%{byte:02X}' for byte in range(256))
            self.put(node, every_byte, 'any')
            self.assertEqual(request(node, 'GET', '/kv/' + every_byte.lower()), (200, b'any'))
            self.put(node, 'cas', 'a key like another')
            self.assertEqual(request(node, 'GET', '/kv/cas'), (200, b'a key like another'))
        for path in ('/kv/', '/kv//cas', '/kv/' + 'k' * 513, '/kv/%4', '/kv/%zz', '/kv/a%'):
            method = 'POST' if path.endswith('cas') else 'GET'
            self.assertEqual(request(self.nodes[0], method, path)[0], 400, path)

    def test_06_not_utf8(self):
        for bad in (b'\xff', b'\xc0\x80', b'\xed\xa0\x80', b'\xf4\x90\x80\x80', b'a\xe2\x82',
                    b'\x80', b'\xe0\x9f\xbf', b'\xf0\x8f\xbf\xbf', b'\xc3('):
            self.assertEqual(request(self.nodes[0], 'PUT', '/kv/utf8', bad)[0], 400, bad)
            self.assertEqual(request(self.nodes[0], 'POST', '/log/1', bad)[0], 400, bad)
        good = '\u007f\u0080\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff'.encode()
        self.put(self.nodes[0], 'utf8', good)
        self.assertEqual(request(self.nodes[1], 'GET', '/kv/utf8'), (200, good))

    def test_07_routes(self):
        for method, path in (('GET', '/'), ('GET', '/kv'), ('PUT', '/status'), ('GET', '/kv/a/b'),
                             ('POST', '/kv/a'), ('GET', '/kv/a/cas'), ('PUT', '/log/1'),
                             ('PATCH', '/kv/a'), ('GET', '/log'), ('GET', '/log/1/2'),
                             ('GET', '/nowhere'), ('GET', '/log/0'), ('GET', '/log/5'),
                             ('POST', '/log/0'), ('POST', '/log/99999999999999999999'),
                             ('GET', '/log/-1'), ('GET', '/log/one'), ('GET', '/log/')):
            status, answer = request_json(self.nodes[0], method, path)
            self.assertEqual(status, 404, (method, path))
            self.assertIn('error', answer)
        for query in ('from=x', 'from=-1', 'limit=1.5', 'from=99999999999999999999', 'limit='):
            self.assertEqual(request(self.nodes[0], 'GET', '/log/1?' + query)[0], 400, query)
        self.assertEqual(request(self.nodes[0], 'GET', '/kv/a?local=2')[0], 400)

    def test_08_compare_and_swap(self):
        for node in self.nodes:
            status, answer = swap(node, None, 'a')
            self.assertEqual((status, answer['swapped'], set(answer)),
                             (200, True, {'swapped', 'index'}))
            self.assertEqual(swap(node, None, 'b'), (409, {'swapped': False, 'current': 'a'}))
            self.assertEqual(swap(node, 'x', 'b'), (409, {'swapped': False, 'current': 'a'}))
            self.assertEqual(swap(node, 'a', '\u00e9"\n')[0], 200)
            self.assertEqual(request(node, 'GET', '/kv/swapped'), (200, '\u00e9"\n'.encode()))
            self.assertEqual(swap(node, '\u00e9"\n', None)[0], 200)
            self.assertEqual(request(node, 'GET', '/kv/swapped')[0], 404)
            self.assertEqual(swap(node, 'a', 'b'), (409, {'swapped': False, 'current': None}))
        for bad in ('', '{', 'null', '[]', '{}', '{"expect":null}', '{"value":"a"}',
                    '{"expect":1,"value":"a"}', '{"expect":null,"value":true}', b'\xff',
                    b'{"expect":null,"value":"\xff"}', '{"expect":null,"value":"\\ud800"}',
                    '{"expect":null,"value":"a"}x', '{"expect":null,"value":"a","more":1}'):
            self.assertEqual(request(self.nodes[0], 'POST', '/kv/swapped/cas', bad)[0], 400, bad)
        self.assertEqual(swap(self.nodes[0], None, 'x' * (MIB + 1))[0], 413)

    def test_09_swaps_exclude_each_other(self):
        self.put(self.nodes[0], 'tally', '0')

        def add(node):
            for _ in range(15):
                while True:
                    value = request(node, 'GET', '/kv/tally')[1].decode()
                    body = json.dumps({'expect': value, 'value': str(int(value) + 1)})
                    if request(node, 'POST', '/kv/tally/cas', body)[0] == 200:
                        break

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(add, self.nodes[i % 3]) for i in range(6)]:
                done.result()
        self.assertEqual(request(self.nodes[0], 'GET', '/kv/tally'), (200, b'90'))

    def test_10_logs(self):
        def append(number):
            answer = request_json(self.nodes[number % 3], 'POST', '/log/2', f'line {number}')
            return answer[0], answer[1]['index']

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(append, range(1100)))
        self.assertEqual({status for status, _ in answers}, {200})
        by_index = {index: f'line {number}' for number, (_, index) in enumerate(answers)}
        self.assertEqual(len(by_index), 1100)
        self.await_equal()
        indexes = sorted(by_index)
        for node in self.nodes:
            status, first = request_json(node, 'GET', '/log/2')
            self.assertEqual((status, len(first)), (200, 1000))
            start = first[-1]['index'] + 1
            _, second = request_json(node, 'GET', f'/log/2?from={start}&limit=5000')
            lines = first + second
            self.assertEqual([line['index'] for line in lines], indexes)
            self.assertTrue(all(line['data'] == by_index[line['index']] for line in lines))
            self.assertTrue(all(line['term'] >= 1 for line in lines))
            _, some = request_json(node, 'GET', f'/log/2?from={indexes[7]}&limit=3')
            self.assertEqual([line['index'] for line in some], indexes[7:10])
            self.assertEqual(request_json(node, 'GET', '/log/2?limit=0'), (200, []))
            beyond = indexes[-1] + 1
            self.assertEqual(request_json(node, 'GET', f'/log/2?from={beyond}'), (200, []))
            self.assertEqual(request_json(node, 'GET', '/log/3'), (200, []))

    def test_11_connections(self):
        node = self.nodes[0]
        piece = b'PUT /kv/p%d HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n%d'
        text = b''.join(piece % (i, i) for i in range(8))
        text += b''.join(b'GET /kv/p%d HTTP/1.1\r\nHost: x\r\n\r\n' % i for i in range(8))
        answers = exchange(node, text, 16)
        self.assertEqual([status for status, _ in answers], [200] * 16)
        self.assertEqual([body for _, body in answers[8:]], [b'%d' % i for i in range(8)])
        chunked = (b'PUT /kv/chunks HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n'
                   b'3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nGET /kv/chunks HTTP/1.1\r\nHost: x\r\n\r\n')
        self.assertEqual(exchange(node, chunked, 2)[1], (200, b'abcde'))
        close = b'GET /kv/chunks HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n' * 2
        self.assertEqual(len(exchange(node, close, 2)), 1)
        expects = (b'PUT /kv/chunks HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n'
                   b'Expect: 100-continue\r\n\r\nx')
        self.assertEqual([status for status, _ in exchange(node, expects, 2)], [100, 200])
        for bad in (b'nonsense\r\n\r\n', b'GET /status HTTP/9.9\r\n\r\n',
                    b'GET /status HTTP/1.1\r\nA: ' + b'x' * 20000 + b'\r\n\r\n',
                    b'PUT /kv/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n',
                    b'PUT /kv/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'):
            answers = exchange(node, bad, 1)
            self.assertEqual([status for status, _ in answers], [400], bad)
            self.assertIn('error', json.loads(answers[0][1]))
        with socket.create_connection((HOST, node.http_port)) as link:  # gone in mid-request
            link.sendall(b'PUT /kv/half HTTP/1.1\r\nContent-Length: 10\r\n\r\nhalf')
        self.assertEqual(request(node, 'GET', '/kv/half')[0], 404)

    def test_12_forwarded_once(self):
        number = self.put(self.nodes[0], 'hop', 'x')['partition']
        leader = self.leader_of(number)
        header = {'X-Kommander-Forwarded': '1'}
        for node in self.nodes:
            status, answer = request_json(node, 'PUT', '/kv/hop', 'y', header)
            if node is leader:
                self.assertEqual(status, 200)
            else:
                self.assertEqual((status, answer['outcome']), (503, 'not_applied'))

    # --- Faults ---

    def test_13_metrics(self):
        status, text = request(self.nodes[0], 'GET', '/metrics')
        self.assertEqual(status, 200)
        text = text.decode() if isinstance(text, bytes) else text
        self.assertIn('\nkommander_initialized 1\n', text)
        self.assertIn('# TYPE kommander_commit_seconds histogram', text)
        leads = re.findall(r'^kommander_partition_leads\{partition="(\d+)"\} ([01])', text, re.M)
        self.assertEqual(len(leads), PARTITIONS + 1, text)

    def test_20_leader_killed(self):
        acknowledged = {}
        for i in range(50):
            status, answer = request_json(self.nodes[i % 3], 'POST', '/log/1', f'before {i}')
            self.assertEqual(status, 200)
            acknowledged[answer['index']] = f'before {i}'
        leader = self.leader_of(1)
        survivors = [node for node in self.nodes if node is not leader]
        leader.kill()
        for i in range(50):
            status, answer = request_json(survivors[i % 2], 'POST', '/log/1', f'after {i}')
            # Whoever still believes in the dead leader cannot reach it: certainly no effect.
            self.assertIn(status, (200, 503, 504) if i else (200, 503), answer)
            if status == 200:
                acknowledged[answer['index']] = f'after {i}'
            else:
                self.assertEqual(answer['outcome'], 'unknown' if status == 504 else 'not_applied')
        self.await_leaders(survivors)
        status, answer = request_json(survivors[0], 'POST', '/log/1', 'the new leader serves')
        self.assertEqual(status, 200)
        leader.start()
        self.await_listening(leader)
        self.await_leaders(self.nodes)
        self.await_equal()
        for node in self.nodes:
            _, lines = request_json(node, 'GET', '/log/1')
            found = {line['index']: line['data'] for line in lines}
            self.assertEqual(acknowledged, {i: found.get(i) for i in acknowledged})
            self.assertEqual(request(node, 'GET', '/kv/tally'), (200, b'90'))

    def test_21_no_quorum(self):
        left = self.nodes[0]
        for node in self.nodes[1:]:
            node.kill()
        for method, path in (('PUT', '/kv/lonely'), ('POST', '/log/1'), ('DELETE', '/kv/lonely')):
            status, answer = request_json(left, method, path, 'x')
            self.assertIn((status, answer['outcome']), ((503, 'not_applied'), (504, 'unknown')))
        status, answer = request_json(left, 'GET', '/kv/tally')
        self.assertEqual((status, answer['outcome']), (503, 'not_applied'))
        self.assertEqual(request(left, 'GET', '/kv/tally?local=1'), (200, b'90'))
        self.assertEqual(len(status_of(left)['partitions']), PARTITIONS)
        self.stop(left)

    def test_22_restart_of_all(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            self.await_listening(node)
        self.await_leaders(self.nodes)
        for node in self.nodes:
            self.assertEqual(request(node, 'GET', '/kv/tally'), (200, b'90'))
            self.assertEqual(request(node, 'GET', '/kv/large'), (200, b'x' * MIB))
        self.await_equal()

    # --- Sizes ---

    def test_23_the_largest_bodies(self):
        """A cluster that nothing hurries: under a sanitizer one of these takes seconds."""
        worst = '\x01' * MIB  # six bytes of JSON each
        with tempfile.TemporaryDirectory(prefix='kv_test.') as folder:
            nodes = make_nodes(PROGRAM, folder, options=('--request-timeout-ms', '60000',
                                                         '--election-timeout-ms', '2000'))
            try:
                for node in nodes:
                    node.start()
                for node in nodes:
                    self.await_listening(node)
                self.await_leaders(nodes)
                self.assertEqual(swap(nodes[0], None, worst)[0], 200)
                for node in nodes:
                    self.assertEqual(swap(node, worst, worst)[0], 200)
            finally:
                for node in nodes:
                    node.ask_to_stop()
                problems = [problem for node in nodes if (problem := node.await_stop())]
            self.assertEqual(problems, [])

    # --- Snapshots ---

    def test_24_snapshots(self):
        """Whoever was away too long gets a snapshot; whoever starts again begins with one."""
        with tempfile.TemporaryDirectory(prefix='kv_test.') as folder:
            nodes = make_nodes(PROGRAM, folder, options=('--snapshot-entries', '20'))

            def partition_metric(node, name):
                _, text = request(node, 'GET', '/metrics')
                found = re.search(rf'^kommander_partition_{name}\{{partition="1"\}} (\d+)',
                                  text.decode(), re.M)
                return int(found.group(1))
            try:
                for node in nodes:
                    node.start()
                for node in nodes:
                    self.await_listening(node)
                self.await_leaders(nodes)
                value = 'a \N{SNOWMAN} value'.encode()
                odd_keys = (f'a%20key%ff{i}' for i in range(100))
                odd_key = next(key for key in odd_keys
                               if self.put(nodes[0], key, value)['partition'] == 1)
                absent = nodes[2]
                absent.kill()
                self.await_leaders(nodes[:2])
                for i in range(200):
                    status, answer = request_json(nodes[i % 2], 'POST', '/log/1', f'line {i}')
                    self.assertEqual(status, 200, answer)
                for node in nodes[:2]:
                    await_true('the log begins with a snapshot',
                               lambda n=node: partition_metric(n, 'first_index') > 150)
                absent.start()
                self.await_listening(absent)
                self.await_leaders(nodes)
                await_true('a snapshot has come',
                           lambda: partition_metric(absent, 'snapshots_received_total') == 1)
                _, expected = request_json(nodes[0], 'GET', '/log/1')
                self.assertEqual([line['data'] for line in expected],
                                 [f'line {i}' for i in range(200)])
                for restarted in nodes:
                    restarted.kill()
                    restarted.start()
                    self.await_listening(restarted)
                    self.await_leaders(nodes)
                    await_true('every line is there again', lambda n=restarted:
                               request_json(n, 'GET', '/log/1')[1] == expected)
                    self.assertEqual(request(restarted, 'GET', '/kv/' + odd_key), (200, value))
            finally:
                for node in nodes:
                    node.ask_to_stop()
                problems = [problem for node in nodes if (problem := node.await_stop())]
            self.assertEqual(problems, [])

    # --- Starts that fail ---

    def run_once(self, *arguments):
        """(exit code, lines on stderr) of a start that must fail by itself."""
        ended = subprocess.run([PROGRAM, *arguments], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=DEADLINE_S,
                               check=False)
        return ended.returncode, ended.stderr.decode().splitlines()

    def cluster_of_one(self, number, raft_port, http_port):
        return ('--id', str(number), '--cluster',
                f'{number}={HOST}:{raft_port}/{HOST}:{http_port}')

    def test_30_port_in_use(self):
        fresh = os.path.join(self.folder, 'ports')
        with socket.create_server((HOST, 0)) as taken:
            port = taken.getsockname()[1]
            for raft, http_port in ((port, free_ports(1)[0]), (free_ports(1)[0], port)):
                code, lines = self.run_once(*self.cluster_of_one(1, raft, http_port),
                                            '--data-dir', fresh)
                self.assertEqual((code, len(lines)), (1, 1), lines)
                self.assertIn(str(port), lines[0])

    def test_31_data_directory(self):
        ports = free_ports(2)
        used = os.path.join(self.folder, 'node-1')
        code, lines = self.run_once(*self.cluster_of_one(1, *ports), '--data-dir', used)
        self.assertEqual((code, len(lines)), (1, 1), lines)
        self.assertIn('node-1', lines[0])
        file = os.path.join(self.folder, 'file')
        with open(file, 'w'):
            pass
        code, lines = self.run_once(*self.cluster_of_one(1, *ports),
                                    '--data-dir', os.path.join(file, 'below'))
        self.assertEqual((code, len(lines)), (1, 1), lines)
        self.assertIn(file, lines[0])
        self.stop(self.nodes[2])
        foreign = os.path.join(self.folder, 'node-3')
        code, lines = self.run_once(*self.cluster_of_one(7, *ports), '--data-dir', foreign)
        self.assertEqual((code, len(lines)), (1, 1), lines)
        self.nodes[2].start()
        self.await_listening(self.nodes[2])
        self.await_leaders(self.nodes)

    def test_32_options(self):
        good = {'--id': '1', '--cluster': '1=127.0.0.1:7001/127.0.0.1:8001',
                '--data-dir': os.path.join(self.folder, 'unused')}
        for name, bad in (('--id', '0'), ('--id', 'one'), ('--id', None), ('--cluster', None),
                          ('--cluster', '1=127.0.0.1:1'), ('--cluster', 'x=[::1]:3/h:4'),
                          ('--cluster', '1=h:65536/h:4'), ('--cluster', '1=h:3/h:0'),
                          ('--cluster', '1=h:3/h:4/h:5'), ('--cluster', '/1=h:3'),
                          ('--cluster', '1=h:3'),
                          ('--data-dir', None), ('--cluster-id', ''), ('--partitions', 'many'),
                          ('--partitions', '0'), ('--wal', 'paper'),
                          ('--transport', 'smoke'), ('--frobnicate', 'x'),
                          ('--election-timeout-ms', '1'), ('--request-timeout-ms', '-5')):
            pairs = [pair for pair in {**good, name: bad}.items() if pair[1] is not None]
            code, lines = self.run_once(*(word for pair in pairs for word in pair))
            self.assertEqual((code, len(lines)), (1, 1), (name, bad, lines))
            # The library calls its own fields by their own names.
            self.assertIn('cluster_id' if name == '--cluster-id' else name, lines[0])
        self.assertFalse(os.path.exists(good['--data-dir']))
        code, lines = self.run_once('--id', '2', '--data-dir', 'unused', '--cluster',
                                    '1=127.0.0.1:7001/127.0.0.1:8001')
        self.assertEqual((code, len(lines)), (1, 1), lines)
        helped = subprocess.run([PROGRAM, '--help'], capture_output=True, timeout=DEADLINE_S,
                                check=True)
        self.assertEqual(helped.stderr, b'')
        for name in (*good, '--cluster-id', '--partitions', '--wal', '--transport',
                     '--request-timeout-ms'):
            self.assertIn(name, helped.stdout.decode())


if __name__ == '__main__':
    PROGRAM, TRANSPORT = os.path.abspath(sys.argv.pop(1)), sys.argv.pop(1)
    unittest.main(verbosity=2, failfast=True)
