# The tables of bad input in docs/protocol.md, as things that are done to a node: ROWS has what the
# node gets, by the name of the row, and Rows.play says in the page's words what it answered.
import concurrent.futures
import contextlib
import copy
import socket
import struct
import time

from peer import (APPEND, APPENDS, BEATS, HEARTBEAT, HEARTBEAT_REPLY, HELLO, HELLO_ACK, PATIENCE_S,
                  PAYLOAD_MAX, PING, PONG, REJECT, VOTE_REPLY, VOTES, Connection, Entry, Hello,
                  Message, bootstrap_digest, decode_hello, encode_hello, encode_message)

__all__ = ('PAYLOAD_MAX', 'ROWS', 'Rows', 'greet')

# A node that ends a connection for what it got does so at once: its patience with silence, 5 s and
# more, ends connections too. On a machine that is too busy to tell them apart a row is tried again.
PROMPT_S = 4.0
ATTEMPTS = 5
UNKNOWN = 9  # a kind of frame, and after the last type of message
NOWHERE = 65535  # a partition
NEGATIVE = 0xFFFFFFFF  # for who takes it for a signed number
KINDS = range(HELLO, UNKNOWN)
ALL = range(HELLO, UNKNOWN + 1)
# By type of message: the kind of its frame, the bytes after its header without entries or bodies,
# and where in these a length of 4 bytes stands.
SHAPES = (None, (VOTES, 24, 0), (VOTES, 0, 0), (APPENDS, 32, 24), (BEATS, 32, 0), (BEATS, 16, 0),
          (BEATS, 16, 0), (BEATS, 8, 0), (BEATS, 16, 0), (VOTES, 0, 0), (VOTES, 56, 0),
          (APPENDS, 20, 16), (VOTES, 16, 0), (APPENDS, 32, 28), (BEATS, 56, 0))
FREE = Message(VOTE_REPLY, NOWHERE, 1)  # of a frame of votes
BEAT = Message(HEARTBEAT_REPLY, NOWHERE, 1, (1, 1))


def greet(address, hello):
    """(connection, the node's hello-ack)."""
    connection = Connection(socket.create_connection(address, PATIENCE_S))
    connection.send(HELLO, encode_hello(hello))
    kind, payload = connection.receive()
    assert kind == HELLO_ACK, (kind, payload)
    return connection, decode_hello(payload)


def watch(connection):
    """What the node does from now on, in the words of the page."""
    words, pings = [], 0
    while True:
        kind, payload = connection.receive()
        if kind is None:
            return ', '.join([*words, 'closed'])
        if kind == REJECT:
            number, size = struct.unpack_from('<IH', payload)
            assert 0 < size <= 512 and len(payload) == 6 + size, payload
            words.append(f'reject {number}')
        elif kind == HELLO_ACK and not words:
            connection.send(PING)
        elif kind == PING and pings == 0:
            connection.send(PONG)
            pings = 1
        elif kind in (PING, PONG):
            return ', '.join([*words, 'goes on'])
        else:
            words.append(f'kind {kind}')


def batch(*messages, sender=2, receiver=1, count=None, tail=b''):
    head = struct.pack('<III', sender, receiver, len(messages) if count is None else count)
    return head + b''.join(map(encode_message, messages)) + tail


def append(*entries, partition=NOWHERE):
    return Message(APPEND, partition, 1, (0, 0, 0), 0, entries)


def bare(kind, cut=0, flags=0, negative=False):
    """(kind of frame, payload) of one message of this type, everything after its term 0."""
    frame, size, at = SHAPES[kind]
    body = bytes(size)
    if negative:
        body = body[:at] + struct.pack('<I', NEGATIVE) + body[at + 4:]
    message = struct.pack('<BBHIQQ', kind, flags, 0, NOWHERE, 1, 0) + body
    return frame, struct.pack('<III', 2, 1, 1) + message[:len(message) - cut]


def patched(data, at, replacement):
    return data[:at] + replacement + data[at + len(replacement):]


def first(kind, payload=None, **wrong):
    """A frame on a fresh connection; a sound hello if nothing else is said."""
    def play(rows):
        with contextlib.closing(rows.connect()) as link:
            connection = Connection(link)
            connection.send(kind, encode_hello(rows.hello) if payload is None else payload, **wrong)
            return watch(connection)
    return play


def each(kinds, play):
    """What all of these kinds of frames get, if it is the same."""
    def play_all(rows):
        answers = {}
        for kind in kinds:
            answers.setdefault(play(kind)(rows), []).append(kind)
        return next(iter(answers)) if len(answers) == 1 else str(answers)
    return play_all


def drip(rows, link, data, pause):
    """Byte by byte, for as long as the node takes it; then what it says."""
    connection = Connection(link)
    link.settimeout(pause)
    for at in range(len(data)):
        try:
            link.send(data[at:at + 1])
            if not link.recv(1):
                return 'closed'
            return 'an answer'
        except socket.timeout:
            continue
        except ConnectionError:
            return 'closed'
    return watch(connection)


def drip_hello(rows):
    with contextlib.closing(rows.connect()) as link:
        data = Connection(link).frame(HELLO, encode_hello(rows.hello))
        return drip(rows, link, data, 0.2)


def drip_frame(rows):
    connection, _ = greet(rows.address, rows.hello._replace(node=5))
    with connection.link:
        return drip(rows, connection.link, connection.frame(BEATS, batch(*[BEAT] * 9)), 0.7)


def cut(kind, count, payload=b''):
    """The first bytes of a frame after the handshake, and no more to come."""
    def play(rows):
        connection, _ = greet(rows.address, rows.hello)
        with connection.link:
            connection.link.sendall(connection.frame(kind, payload)[:count])
            connection.link.shutdown(socket.SHUT_WR)
            return watch(connection)
    return play


def cut_hello(count):
    def play(rows):
        with contextlib.closing(rows.connect()) as link:
            connection = Connection(link)
            link.sendall(connection.frame(HELLO, encode_hello(rows.hello))[:count])
            link.shutdown(socket.SHUT_WR)
            return watch(connection)
    return play


def crowd(rows):
    """500 connections that say nothing, and then a member."""
    before = rows.memory()
    with contextlib.ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(contextlib.closing(rows.connect()))
        rows.begin = time.monotonic()
        found = then(PING)(rows)
        grown = rows.memory() - before
    return found if grown < 16 << 20 else f'{found}, and {grown} bytes more'


def hello(tail=b'', **wrong):
    """A hello that is wrong in what it says."""
    return lambda rows: first(HELLO, encode_hello(rows.hello._replace(**wrong)) + tail)(rows)


def then(kind, payload=b'', **wrong):
    """A frame after the handshake, and a ping to see whether the connection goes on."""
    def play(rows):
        connection, _ = greet(rows.address, rows.hello)
        with connection.link:
            with contextlib.suppress(ConnectionError):
                connection.send(kind, payload, **wrong)
                connection.send(PING)
            return watch(connection)
    return play


def answer(*frames, **wrong):
    """Frames for the hello of a node that dials, all of them at once; None: a hello-ack. The last
    one is the wrong one."""
    def play(rows):
        connection = rows.accept()
        with connection.link:
            data = b''
            for number, frame in enumerate(frames, 1):
                kind, payload = frame or (HELLO_ACK, encode_hello(rows.hello))
                data += connection.frame(kind, payload, **(wrong if number == len(frames) else {}))
            connection.link.sendall(data)
            return watch(connection)
    return play


def answer_hello(**wrong):
    return lambda rows: answer((HELLO_ACK, encode_hello(rows.hello._replace(**wrong))))(rows)


def hello_and_ping(rows):
    with contextlib.closing(rows.connect()) as link:
        connection = Connection(link)
        link.sendall(connection.frame(HELLO, encode_hello(rows.hello)) + connection.frame(PING))
        return watch(connection)


def nothing(rows):
    with contextlib.closing(rows.connect()) as link:
        return watch(Connection(link))


def own_nonce(rows):
    connection, other = greet(rows.address, rows.hello)
    with connection.link:
        return hello(nonce=other.nonce)(rows)


def replaced_beside(rows):
    connection, _ = greet(rows.address, rows.hello._replace(node=3))
    with connection.link:
        return hello(node=3, incarnation=7)(rows)


def replaced_after(rows):
    """The node may not have noticed yet that the other connection has ended."""
    deadline = time.monotonic() + PATIENCE_S
    found = 'reject 61, closed'
    while found == 'reject 61, closed' and time.monotonic() < deadline:
        begin = time.monotonic()
        found = hello(node=3, incarnation=7)(rows)
        rows.begin = begin
    return found


def second_connection(rows):
    old, _ = greet(rows.address, rows.hello)
    with old.link:
        new, _ = greet(rows.address, rows.hello)
        with new.link:
            return watch(old)


def silence(rows):
    connection, _ = greet(rows.address, rows.hello._replace(node=4))
    with connection.link:
        return watch(connection)


ROWS = {
    'a1': first(HELLO, magic=b'KMDX'),
    'a2': first(HELLO, header_crc_flip=1 << 31),
    'a3': first(HELLO, version=2),
    'a4': first(HELLO, header_bytes=40),
    'a5': first(HELLO, flags=2),
    'a6': first(HELLO, payload_crc=1),
    'a7': first(HELLO, sequence=1),
    'a8': first(HELLO, b'', payload_bytes=4097),
    'a9': first(BEATS, b'', payload_bytes=4097),
    'a10': first(PING, b''),
    'a11': first(UNKNOWN, b'', flags=1),
    'a12': hello_and_ping,
    'a13': nothing,
    'a14': each(KINDS, lambda kind: first(kind, b'', payload_bytes=NEGATIVE)),
    'a15': each(range(HELLO_ACK, UNKNOWN), lambda kind: first(kind, b'')),
    'a16': each((0, UNKNOWN), lambda kind: first(kind, b'')),
    'a17': first(HELLO, b''),
    'a18': each((1, 31, 32, 81), cut_hello),
    'a19': drip_hello,
    'a20': crowd,
    'b1': hello(zero=1),
    'b2': hello(flags=2),
    'b3': hello(tail=b'x'),
    'b4': hello(cluster=b'c' * 257),
    'b5': hello(version_min=2, version_max=3),
    'b6': hello(version_min=1, version_max=0),
    'b7': hello(version_min=0, version_max=9),
    'b8': hello(cluster=b'another'),
    'b9': hello(cluster=b'another', version_min=2, version_max=3),
    'b10': own_nonce,
    'b11': hello(node=1),
    'b12': hello(node=0),
    'b13': hello(to=3),
    'b14': hello(incarnation=0),
    'b15': hello(node=77),
    'b16': hello(digest=1),
    'b17': replaced_beside,
    'b18': replaced_after,
    'b19': hello(pin=7),
    'c1': then(VOTES, payload_bytes=4097),
    'c2': then(BEATS, payload_bytes=1048577),
    'c3': then(APPENDS, payload_bytes=16777217),
    'c4': then(PING, payload_bytes=1),
    'c5': then(UNKNOWN),
    'c6': then(UNKNOWN, flags=1),
    'c7': then(UNKNOWN, b'?' * 4096, flags=1),
    'c8': then(UNKNOWN, flags=1, payload_bytes=4097),
    'c9': then(PING, flags=1),
    'c10': then(PING, sequence=0),
    'c11': then(PING, sequence=2),
    'c12': then(VOTES, batch(FREE), payload_crc=1),
    'c13': lambda rows: then(HELLO, encode_hello(rows.hello))(rows),
    'c14': lambda rows: then(HELLO_ACK, encode_hello(rows.hello))(rows),
    'c15': then(PONG),
    'c16': then(REJECT, struct.pack('<IH', 65, 0)),
    'c17': second_connection,
    'c18': silence,
    'c19': each(ALL, lambda kind: then(kind, payload_bytes=NEGATIVE, flags=kind == UNKNOWN)),
    'c20': each(ALL, lambda kind: then(kind, header_crc_flip=1, flags=kind == UNKNOWN)),
    'c21': each(ALL, lambda kind: then(kind, payload_crc=1, flags=kind == UNKNOWN)),
    'c22': each(ALL, lambda kind: then(kind, flags=2)),
    'c23': each(KINDS, lambda kind: then(kind, flags=1)),
    'c24': each(ALL, lambda kind: then(kind, version=2)),
    'c25': each(ALL, lambda kind: then(kind, header_bytes=28)),
    'c26': each(ALL, lambda kind: then(kind, magic=b'kmdr')),
    'c27': each(ALL, lambda kind: cut(kind, 31)),
    'c28': cut(VOTES, 40, batch(FREE)),
    'c29': then(0),
    'c30': drip_frame,
    'd1': then(VOTES, batch(FREE, sender=3)),
    'd2': then(VOTES, batch(FREE, receiver=3)),
    'd3': then(VOTES, batch()),
    'd4': then(VOTES, batch(FREE, count=2)),
    'd5': then(VOTES, batch(FREE, tail=b'x')),
    'd6': then(VOTES, batch(FREE._replace(type=0))),
    'd7': then(VOTES, batch(FREE._replace(type=15))),
    'd8': then(BEATS, batch(BEAT._replace(flags=1))),
    'd9': then(BEATS, patched(batch(BEAT), 14, b'\x01')),
    'd10': then(VOTES, batch(BEAT)),
    'd11': then(BEATS, batch(FREE)),
    'd12': then(APPENDS, batch(append(Entry(1, 1, 1, bytes(65408))), FREE)),
    'd13': then(APPENDS, patched(batch(append()), 60, b'\x01')),
    'd14': then(APPENDS, patched(batch(append(Entry(1, 1, 1, b'four'))), 104, b'\x05')),
    'd15': then(APPENDS, batch(append(Entry(1, 1, 9)))),
    'd16': then(BEATS, batch(*[BEAT] * 26214)),
    'd17': then(APPENDS, batch(append(Entry(1, 1, 1, bytes(16777108))))),
    'd18': then(BEATS, batch(Message(HEARTBEAT, 0, 0, (0, 0)))),
    'd19': then(APPENDS, batch(append(Entry(1, 5), partition=0))),
    'd20': then(APPENDS, batch(append(Entry(1, 1, 1, bytes(65404))), FREE)),
    'd21': then(VOTES, batch(FREE, sender=1)),
    'd22': then(VOTES, batch(FREE, sender=0)),
    'd23': then(VOTES, batch(FREE, count=NEGATIVE)),
    'd24': each(range(1, 15), lambda kind: then(*bare(kind, cut=1))),
    'd25': each(range(1, 15), lambda kind: then(*bare(kind, flags=128))),
    'd26': each((3, 11, 13), lambda kind: then(*bare(kind, negative=True))),
    'd27': then(BEATS, batch(BEAT._replace(partition=0xFFFFFFFF))),
    'e1': answer(None, header_crc_flip=1),
    'e2': answer(None, sequence=1),
    'e3': answer((PONG, b'')),
    'e4': answer((UNKNOWN, b''), flags=1),
    'e5': answer_hello(zero=1),
    'e6': answer_hello(version_min=2, version_max=3),
    'e7': answer_hello(cluster=b'another'),
    'e8': answer_hello(node=3),
    'e9': answer_hello(node=1),
    'e10': answer_hello(to=3),
    'e11': answer_hello(incarnation=0),
    'e12': answer((REJECT, struct.pack('<IH', 65, 0))),
    'e13': answer(None, None),
    'e14': answer(None, (PING, b'')),
    'e15': answer(None, (VOTES, batch(FREE))),
    'e16': answer(None, (PONG, b'')),
    'e17': answer(None, (UNKNOWN, b'')),
    'e18': answer(None, (UNKNOWN, b''), flags=1),
    'e19': answer((HELLO_ACK, b''), payload_bytes=NEGATIVE),
    'e20': answer(None, payload_crc=1),
    'e21': answer(None, flags=1),
}
# Seconds that its answer may take.
TIMED = {'a13': (4.9, 9.0), 'a19': (4.9, 9.0), 'c18': (5.9, 16.0), 'c30': (29.9, 36.0)}
LAST = {'a20'}  # drives others out
ELSEWHERE = {'b19'}  # ends the node


class Rows:
    """A node, 1, whose other initial members are played; it must not have joined yet."""

    def __init__(self, cluster, incarnation, name):
        self.address, self.listener = cluster.address, cluster.sockets[2]
        self.hello = Hello(2, 1, incarnation, digest=bootstrap_digest(cluster.members), nonce=1,
                           cluster=name)
        self.begin = 0.0
        self.pid = cluster.node.pid

    def connect(self):
        return socket.create_connection(self.address, PATIENCE_S)

    def memory(self):
        """The bytes that the node occupies."""
        with open(f'/proc/{self.pid}/status') as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith('VmRSS'))

    def accept(self):
        self.listener.listen()
        self.listener.settimeout(PATIENCE_S)
        while True:
            connection = Connection(self.listener.accept()[0])
            if connection.receive()[0] == HELLO:
                self.begin = time.monotonic()
                return connection
            connection.link.close()  # it has waited too long to be accepted

    def play(self, row):
        least, most = TIMED.get(row, (0.0, PROMPT_S))
        for _ in range(ATTEMPTS):
            self.begin = begin = time.monotonic()
            try:
                found = ROWS[row](self)
            except (AssertionError, OSError) as error:
                return repr(error)
            took = time.monotonic() - (begin if row in TIMED else self.begin)
            if took < least:
                return f'{found} after {took:.1f} s'
            if took <= most or 'goes on' in found:
                return found
        return f'{found} after {took:.1f} s, each of {ATTEMPTS} times'

    def run(self):
        """(row, answer) of each but those that need a node for themselves."""
        with concurrent.futures.ThreadPoolExecutor(len(TIMED)) as pool:
            timed = {row: pool.submit(copy.copy(self).play, row) for row in TIMED}
            for row in ROWS:
                if row not in TIMED and row not in ELSEWHERE | LAST:
                    yield row, self.play(row)
            for row, found in timed.items():
                yield row, found.result()
        for row in sorted(LAST):
            yield row, self.play(row)
