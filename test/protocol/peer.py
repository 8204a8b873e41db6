# A peer of a node over TCP in plain Python, by docs/protocol.md alone: it shakes hands in both
# directions, votes, acknowledges, answers heartbeats and pings. Nothing is on disk: for tests.
import collections
import contextlib
import functools
import queue
import socket
import struct
import threading

HELLO, HELLO_ACK, REJECT, PING, PONG, VOTES, BEATS, APPENDS = range(1, 9)
(VOTE_REQUEST, VOTE_REPLY, APPEND, APPEND_REPLY, HEARTBEAT, HEARTBEAT_REPLY, READ_REQUEST,
 READ_REPLY, TRANSFER) = range(1, 10)
PRE_VOTE, GRANTED, ACCEPTED = 1, 2, 1  # flags
PAYLOAD_MAX = (None, 4096, 4096, 4096, 0, 0, 4096, 1 << 20, 16 << 20)  # by kind of frame
KIND_OF = (None, VOTES, VOTES, APPENDS, BEATS, BEATS, BEATS, BEATS, BEATS, VOTES)  # by type
NUMBERS_OF = (None, 3, 0, 3, 4, 2, 2, 1, 2, 0)  # u64 fields after a message's header, by type
HELLO_FORMAT, ENTRY_FORMAT = '<IIQHHBBHQQQ', '<QQQIIB3xI'
PATIENCE_S = 60.0  # with a node that a busy machine does not let run

Hello = collections.namedtuple(
    'Hello', 'node to incarnation version_min version_max flags zero cluster_bytes digest pin nonce'
    ' cluster', defaults=(1, 1, 0, 0, 0, 0, 0, 0, b''))
Entry = collections.namedtuple('Entry', 'term index kind body ticket', defaults=(0, b'', (0, 0, 0)))
Message = collections.namedtuple('Message', 'type partition term numbers flags entries stamp',
                                 defaults=((), 0, (), 0))
CRC_TABLE = [functools.reduce(lambda crc, _: crc >> 1 ^ (crc & 1) * 0x82F63B78, range(8), value)
             for value in range(256)]


def crc32c(data, crc=0xFFFFFFFF):
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def bootstrap_digest(members):
    """Of 2 to 5 initial members."""
    data, mask = struct.pack(f'<{len(members) + 3}I', len(members), *members, 0, 0), (1 << 64) - 1
    a, b, c, d = struct.unpack('<4Q', data[:16] + data[-16:])
    first = (a ^ 0xBE4BA423396CFEB8) * (b ^ 0x1CAD21F72C81017C)
    last = (c ^ 0xDB979083E96DD4DE) * (d ^ 0x1F67B3B7A4A44072)
    folded = (first & mask ^ first >> 64) + (last & mask ^ last >> 64)
    value = len(data) * 0x9E3779B185EBCA87 + folded & mask
    value = (value ^ value >> 37) * 0x165667919E3779F9 & mask
    return value ^ value >> 32


def encode_hello(hello):
    return struct.pack(HELLO_FORMAT, *hello[:7], len(hello.cluster), *hello[8:11]) + hello.cluster


def decode_hello(payload):
    hello = Hello(*struct.unpack_from(HELLO_FORMAT, payload), payload[48:])
    assert len(hello.cluster) == hello.cluster_bytes and not hello.zero, 'a sound hello'
    return hello


def encode_message(m):
    data = struct.pack(f'<BBHIQQ{len(m[3])}Q', m[0], m.flags, 0, *m[1:3], m.stamp, *m.numbers)
    if m.type == APPEND:
        data += struct.pack('<II', len(m.entries), sum(len(entry.body) for entry in m.entries))
        data += b''.join(struct.pack(ENTRY_FORMAT, e.term, e.index, *e.ticket, e.kind, len(e.body))
                         for e in m.entries) + b''.join(entry.body for entry in m.entries)
    return data


def decode_messages(payload):
    at, messages = 12, []
    while at < len(payload):
        kind, flags, _, partition, term, stamp = struct.unpack_from('<BBHIQQ', payload, at)
        numbers = struct.unpack_from(f'<{NUMBERS_OF[kind]}Q', payload, at + 24)
        at, entries = at + 24 + 8 * len(numbers), []
        if kind == APPEND:
            body_at = at + 8 + 40 * struct.unpack_from('<I', payload, at)[0]
            for head in range(at + 8, body_at, 40):
                *start, milliseconds, counter, node, entry_kind, size = struct.unpack_from(
                    ENTRY_FORMAT, payload, head)
                body, body_at = payload[body_at:body_at + size], body_at + size
                entries.append(Entry(*start, entry_kind, body, (milliseconds, counter, node)))
            at = body_at
        messages.append(Message(kind, partition, term, numbers, flags, tuple(entries), stamp))
    assert len(messages) == struct.unpack_from('<I', payload, 8)[0], 'as many as announced'
    return messages


class Connection:
    def __init__(self, link):
        self.link, self.sent, self.received = link, 0, 0
        link.settimeout(PATIENCE_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def frame(self, kind, payload=b'', **wrong):
        """The next frame. Who wants a field of it to be wrong says so by its name."""
        fields = {'magic': b'KMDR', 'version': 1, 'kind': kind, 'flags': 0, 'header_bytes': 32,
                  'payload_bytes': len(payload), 'sequence': self.sent,
                  'payload_crc': crc32c(payload)} | wrong
        header_crc_flip = fields.pop('header_crc_flip', 0)
        header = struct.pack('<4sHHHHIQI', *fields.values())
        self.sent += 1
        return header + struct.pack('<I', crc32c(header) ^ header_crc_flip) + payload

    def send(self, kind, payload=b'', **wrong):
        self.link.sendall(self.frame(kind, payload, **wrong))

    def read(self, count):
        data = b''
        with contextlib.suppress(ConnectionError):
            while len(data) < count and (piece := self.link.recv(count - len(data))):
                data += piece
        return data

    def receive(self):
        """(kind, payload), or (None, b'') once the other side has ended the connection."""
        if not (header := self.read(32)):
            return None, b''
        *fields, size, sequence, payload_crc, header_crc = struct.unpack('<4sHHHHIQII', header)
        assert fields == [b'KMDR', 1, fields[2], 0, 32] and sequence == self.received, header
        assert header_crc == crc32c(header[:28]) and size <= PAYLOAD_MAX[fields[2]], header
        self.received, payload = self.received + 1, self.read(size)
        assert crc32c(payload) == payload_crc, 'a sound payload'
        return fields[2], payload


class Peer:
    """One member. It talks to one other, and follows that one in every partition."""

    def __init__(self, cluster, members, node, incarnation, listener, other, address):
        self.hello = Hello(node, other, incarnation, digest=bootstrap_digest(members),
                           nonce=incarnation ^ 1, cluster=cluster)
        self.listener, self.address, self.link, self.pings = listener, address, None, 0
        self.replies, self.lock = queue.Queue(), threading.Lock()
        # By partition. Index 0 of a log is what is before its beginning.
        self.terms, self.votes, self.commits = (collections.Counter() for _ in range(3))
        self.logs = collections.defaultdict(lambda: [Entry(0, 0)])
        threading.Thread(target=self.accept, daemon=True).start()

    def dial(self):
        connection = Connection(socket.create_connection(self.address, PATIENCE_S))
        connection.send(HELLO, encode_hello(self.hello))
        kind, payload = connection.receive()
        assert kind == HELLO_ACK, (kind, payload)
        self.hello = self.hello._replace(pin=decode_hello(payload).incarnation)
        return connection

    def say(self, type, partition, *numbers, term=None, flags=0, entries=()):
        """Over the connection that this side has dialled. What gets lost is lost."""
        term = self.terms[partition] if term is None else term
        data = struct.pack('<III', self.hello.node, self.hello.to, 1)
        data += encode_message(Message(type, partition, term, numbers, flags, entries))
        with self.lock:
            try:
                self.link = self.link or self.dial()
                self.link.send(KIND_OF[type], data)
            except OSError:
                self.link = None

    def accept(self):
        while True:
            connection, self.pings = Connection(self.listener.accept()[0]), 0
            if (frame := connection.receive())[0] == HELLO:
                hello = decode_hello(frame[1])
                assert hello[:2] == (self.hello.to, self.hello.node), hello
                self.hello = self.hello._replace(pin=hello.incarnation)
                connection.send(HELLO_ACK, encode_hello(self.hello))
            while (frame := connection.receive())[0] is not None:
                for message in decode_messages(frame[1]) if frame[0] >= VOTES else ():
                    self.take(message)
                if frame[0] == PING:
                    connection.send(PONG)
                    self.pings += 1

    def take(self, m):
        log, p, pre_vote = self.logs[m.partition], m.partition, m.flags & PRE_VOTE
        if m.term > self.terms[p] and not (m.type == VOTE_REQUEST and pre_vote):
            self.terms[p], self.votes[p] = m.term, 0
        term, is_new = self.terms[p], m.term >= self.terms[p]
        if m.type == VOTE_REQUEST:
            is_free = m.term > term if pre_vote else is_new and self.votes[p] in (0, self.hello.to)
            granted = is_free and m.numbers[1::-1] >= (log[-1].term, log[-1].index)
            if granted and not pre_vote:
                self.votes[p] = self.hello.to
            self.say(VOTE_REPLY, p, term=m.term if granted else term,
                     flags=pre_vote | granted * GRANTED)
        elif m.type == HEARTBEAT:
            self.commits[p] = max(self.commits[p], min(m.numbers[0], log[-1].index) * is_new)
            self.say(HEARTBEAT_REPLY, p, m.numbers[1] * is_new, log[-1].index)
        elif m.type == APPEND:
            before, before_term, commit = m.numbers
            if not (is_new and before < len(log) and log[before].term == before_term):
                limits = [e for e in log[:before + 1] if e.term <= before_term * is_new]
                return self.say(APPEND_REPLY, p, 0, before, limits[-1].index, limits[-1].term)
            for entry in m.entries:
                if entry.index < len(log) and log[entry.index].term != entry.term:
                    del log[entry.index:]
                log[entry.index:entry.index + 1] = [entry]
            self.commits[p] = max(self.commits[p], min(commit, before + len(m.entries)))
            self.say(APPEND_REPLY, p, before + len(m.entries), 0, 0, 0, flags=ACCEPTED)
        elif m.type not in (READ_REQUEST, TRANSFER):
            self.replies.put(m)
