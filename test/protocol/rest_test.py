#!/usr/bin/env python3
# Does to a node whatever the tables of docs/rest.md say, and gets what they say. Each row of them
# is played, and nothing is played that has no row.
#   rest_test.py rest_node docs/rest.md
import re
import socket
import sys
import unittest

import rest_peer_rows
from rest_client import QUICK, Client, Node, told

HOST = b'Host: x\r\n'
GET = b'GET /healthz HTTP/1.1\r\n'


def raw(*texts):
    """Whatever is sent on a fresh connection; each of the texts on one of its own, all with the
    same answer."""
    def play(node):
        found = set()
        for text in texts:
            with Client(node.ports[0]) as client:
                client.send(text)
                found.add(told(client.answer(), client))
        return ' or '.join(sorted(found))
    return play


def fields(*lines):
    """A sound request with these fields more."""
    return raw(*[GET + HOST + line + b'\r\n\r\n' for line in lines])


def targets(*texts, method=b'GET'):
    return raw(*[method + b' ' + text + b' HTTP/1.1\r\n' + HOST + b'\r\n' for text in texts])


def methods(*names):
    return raw(*[name + b' /v1/cluster HTTP/1.1\r\n' + HOST + b'\r\n' for name in names])


def many(count):
    return b''.join(b'f%d: x\r\n' % number for number in range(count))


def piece_by_piece(node):
    with Client(node.ports[0]) as client:
        client.send(GET + HOST)
        for number in range(3000):
            client.send(b'f%d: x\r\n' % number)
        return told(client.answer(), client)


def half(node):
    with Client(node.ports[0]) as client:
        client.send(GET)
        client.link.shutdown(socket.SHUT_WR)
        return told(client.answer(), client)


def last_words(node):
    with Client(node.ports[0]) as client:
        client.send(GET + HOST + b'\r\n')
        client.link.shutdown(socket.SHUT_WR)
        answer = client.answer()
        return f'{answer.status}, closed' if client.ended() else 'open'


def pipelined(node):
    with Client(node.ports[0]) as client:
        client.send(100 * (GET + HOST + b'\r\n'))
        assert {client.answer().status for _ in range(99)} == {200}
        return told(client.answer(), client)


def silent(_):
    with Node(PROGRAM, **QUICK) as node, Client(node.ports[0]) as client:
        return told(client.answer(), client)


def slow_header(_):
    with Node(PROGRAM, **QUICK) as node, Client(node.ports[0]) as client:
        client.drip(GET + b'a: ' + 4000 * b'x', 0.02)
        return told(client.answer(), client)


def silent_later(_):
    with Node(PROGRAM, **QUICK) as node, Client(node.ports[0]) as client:
        assert client.ask('/healthz').status == 200
        return told(client.answer(), client)


def slow_later(_):
    with Node(PROGRAM, **QUICK) as node, Client(node.ports[0]) as client:
        assert client.ask('/healthz').status == 200
        client.drip(GET + b'a: ' + 4000 * b'x', 0.02)
        return told(client.answer(), client)


def takes_nothing(_):
    """More answers than the sockets hold, and nobody reads one: the server closes."""
    with Node(PROGRAM, **QUICK) as node, Client(node.ports[0]) as client:
        request = b'GET /v1/cluster HTTP/1.1\r\n' + HOST + b'\r\n'
        try:
            for _ in range(100000):
                client.link.sendall(100 * request)
        except (ConnectionError, socket.timeout) as end:
            return 'closed' if isinstance(end, ConnectionError) else 'open'
        return 'open'


def silent_crowd(_):
    """500 connections that say nothing; the newest of them is served, the oldest made room."""
    with Node(PROGRAM, of_address=16, connections=32) as node:
        crowd = [Client(node.ports[0]) for _ in range(500)]
        words = told(crowd[-1].ask('/healthz'), crowd[-1])
        assert all(client.ended() for client in crowd[:484]), 'they were to give way'
        for client in crowd:
            client.link.close()
        return words


def busy_crowd(_):
    """Those between two requests give way as well, after the silent ones."""
    with Node(PROGRAM, of_address=16, connections=32) as node:
        crowd = [Client(node.ports[0]) for _ in range(16)]
        assert {client.ask('/healthz').status for client in crowd} == {200}
        with Client(node.ports[0]) as client:
            words = told(client.ask('/healthz'), client)
        assert crowd[0].ended() and crowd[15].ask('/healthz').status == 200
        for client in crowd:
            client.link.close()
        return words


ROWS = {
    'a1': raw(b'hello\r\n\r\n', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n',
              b'GET\r\n\r\n', b'\r\n\r\n'),
    'a2': raw(b'GET /healthz HTTP/1.2\r\n' + HOST + b'\r\n',
              b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', b'GET /healthz HTTP/0.9\r\n\r\n'),
    'a3': raw(b'GET /healthz HTTP/1.0\r\n\r\n'),
    'a4': raw(GET + b'\r\n', GET + HOST + HOST + b'\r\n'),
    'a5': raw(GET + HOST + b'a: ' + 8192 * b'x' + b'\r\n\r\n'),
    'a6': piece_by_piece,
    'a7': raw(GET + HOST + many(100) + b'\r\n'),
    'a8': raw(GET + HOST + many(99) + b'\r\n'),
    'a9': raw(b'GET /healthz HTTP/1.1\nHost: x\n\n', GET + b'Host: x\na: b\r\n\r\n',
              GET + b'Host : x\r\n\r\n', GET + HOST + b'a b: c\r\n\r\n',
              GET + HOST + b'a: \x00\r\n\r\n',
              GET + HOST + b'a\r\n\r\n'),
    'a10': half,
    'a11': last_words,
    'a12': pipelined,
    'b1': fields(b'Content-Length: 1', b'Content-Length: 4294967296',
                 b'Content-Length: 999999999999999999'),
    'b2': fields(b'Content-Length: 9999999999999999999', b'Content-Length: -1',
                 b'Content-Length: +1', b'Content-Length: 0x1', b'Content-Length: 1 1',
                 b'Content-Length: 0, 0', b'Content-Length: ', b'Content-Length: one'),
    'b3': fields(b'Content-Length: 0\r\nContent-Length: 0',
                 b'Content-Length: 1\r\ncontent-length: 2'),
    'b4': fields(b'Content-Length: 0\r\nTransfer-Encoding: chunked',
                 b'Transfer-Encoding: chunked\r\nContent-Length: 0'),
    'b5': fields(b'Transfer-Encoding: chunked', b'Transfer-Encoding: gzip, chunked',
                 b'Transfer-Encoding: identity', b'Transfer-Encoding: xchunked'),
    'b6': fields(b'Content-Length: 0', b'Expect: 100-continue',
                 b'Connection: upgrade\r\nUpgrade: websocket'),
    'b7': fields(b'Expect: the unexpected'),
    'b8': fields(b'Connection: close'),
    'c1': targets(b'/', b'/nowhere', b'/v1/cluster/', b'//healthz', b'/HEALTHZ', b'/%68ealthz',
                  b'/v1/partition', b'*'),
    'c2': methods(b'POST', b'PUT', b'DELETE', b'OPTIONS', b'TRACE', b'CONNECT', b'BREW', b'get'),
    'c3': targets(b'/v1/cluster?x=1', b'/metrics?x', b'/v1/partitions/1?after=1',
                  b'/v1/partitions?limit=1&page=2', b'/healthz?ready=2', b'/healthz?ready&ready'),
    'c4': targets(*[b'/v1/partitions?limit=' + value for value in
                    (b'', b'0', b'1001', b'-1', b'+1', b'1e3', b'01', b'1.0', b'0x1',
                     b'99999999999999999999', b'%31', b'true', b'1&limit=1')]),
    'c5': targets(b'/v1/partitions?after=65536', b'/v1/partitions?after=-1',
                  b'/v1/partitions?after='),
    'c6': targets(*[b'/v1/partitions/' + value for value in
                    (b'', b'65536', b'-1', b'01', b'one', b'1/', b'%31', b'1.0',
                     b'99999999999999999999')]),
    'c7': targets(b'/v1/partitions/65535'),
    'c8': targets(b'http://x/healthz', b'http://other:1/v1/cluster'),
    'c9': targets(b'/\xff\xfe', b'/healthz\xc3'),
    'd1': silent,
    'd2': slow_header,
    'd3': silent_later,
    'd4': slow_later,
    'd5': takes_nothing,
    'd6': silent_crowd,
    'd7': busy_crowd,
    **rest_peer_rows.ROWS,
}


class RestTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(PAGE, encoding='utf-8') as stream:
            cls.rows = dict(re.findall(r'^\| ([a-e]\d+) \| .* \| ([^|]+) \|$', stream.read(), re.M))

    def test_every_row_of_the_page_holds_and_there_is_no_other(self):
        self.assertEqual(set(self.rows), set(ROWS))
        with Node(PROGRAM) as node, Node(PROGRAM, members=3) as member:
            rest_peer_rows.meet(member)
            for name, play in ROWS.items():
                with self.subTest(name):
                    self.assertEqual(play(member if name in rest_peer_rows.ROWS else node),
                                     self.rows[name])
            # After all of it the nodes serve as before.
            self.assertEqual(node.ask('/healthz?ready').status, 200)
            self.assertEqual(member.ask('/healthz').status, 200)

    def test_a_stop_ends_what_waits(self):
        """Three that say nothing, one between requests: the process ends by itself."""
        with Node(PROGRAM) as node:
            clients = [Client(node.ports[0]) for _ in range(4)]
            self.assertEqual(clients[0].ask('/healthz').status, 200)
            node.stop()
            self.assertTrue(all(client.ended() for client in clients))
            for client in clients:
                client.link.close()

    def test_answers_to_head_have_the_length_and_no_body(self):
        with Node(PROGRAM) as node, Client(node.ports[0]) as client:
            for target in ('/v1/cluster', '/v1/partitions', '/v1/partitions/1', '/metrics'):
                head = client.ask(target, 'HEAD')
                self.assertGreater(int(head.fields['content-length']), 0)
                # The next answer begins where a body would have.
                self.assertEqual(client.ask(target).status, head.status)


if __name__ == '__main__':
    PROGRAM, PAGE = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1], verbosity=2)
