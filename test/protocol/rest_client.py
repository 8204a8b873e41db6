# A rest_node process and clients of it that say exactly what they are told to, byte by byte.
import contextlib
import json
import select
import socket
import subprocess
import time

PATIENCE_S = 60.0
# Shorter than any patience of the test; whoever is too slow for them is so by never coming to an
# end.
QUICK = {'header_ms': 300, 'body_ms': 300, 'write_ms': 300, 'idle_ms': 300}


class Answer:
    def __init__(self, status, fields, body):
        self.status = status
        self.fields = fields  # by their names in lower case
        self.body = body

    @property
    def error(self):
        """The name of the error; '' for an answer that is none."""
        if self.fields.get('content-type') != 'application/json':
            return ''
        return json.loads(self.body).get('error', {}).get('name', '')

    @property
    def keeps(self):
        return self.fields['connection'] == 'keep-alive'


class Client:
    """One connection. Every wait ends: with what came, or an assertion."""

    def __init__(self, port):
        self.link = socket.create_connection(('127.0.0.1', port), PATIENCE_S)
        self.link.settimeout(PATIENCE_S)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.text = b''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.link.close()

    def send(self, text):
        """The other end may close meanwhile; that is its right."""
        with contextlib.suppress(ConnectionError):
            self.link.sendall(text)

    def drip(self, text, pause_s):
        """Byte by byte, until the other end says something or closes."""
        for byte in text:
            self.send(bytes([byte]))
            if select.select([self.link], [], [], pause_s)[0]:
                return

    def _more(self):
        try:
            piece = self.link.recv(65536)
        except ConnectionError:
            piece = b''
        self.text += piece
        return piece

    def answer(self, is_to_head=False):
        """The next answer; None: the connection ended before."""
        while b'\r\n\r\n' not in self.text:
            if not self._more():
                assert not self.text, self.text
                return None
        head, self.text = self.text.split(b'\r\n\r\n', 1)
        first, *lines = head.decode('ascii').split('\r\n')
        version, status, _ = first.split(' ', 2)
        assert version == 'HTTP/1.1', first
        fields = {}
        for line in lines:
            name, value = line.split(': ', 1)
            assert name.lower() not in fields, lines
            fields[name.lower()] = value
        size = 0 if is_to_head else int(fields['content-length'])
        while len(self.text) < size:
            assert self._more(), (first, len(self.text), size)
        body, self.text = self.text[:size], self.text[size:]
        return Answer(int(status), fields, body)

    def interim(self):
        """The first line of an answer that comes before the answer."""
        while b'\r\n\r\n' not in self.text:
            assert self._more(), self.text
        line, self.text = self.text.split(b'\r\n\r\n', 1)
        return line.decode()

    def ended(self):
        """Whether the other end closes, without another word."""
        return not self._more() and not self.text

    def ask(self, target, method='GET', fields=(), body=b''):
        lines = [f'{method} {target} HTTP/1.1', 'Host: x', *fields]
        if body:
            lines.append(f'Content-Length: {len(body)}')
        self.send('\r\n'.join(lines).encode() + b'\r\n\r\n' + body)
        return self.answer(is_to_head=method == 'HEAD')


class Node:
    """A rest_node process; its ports are those of its nodes."""

    def __init__(self, program, **numbers):
        arguments = [f"{name.replace('_', '-')}={value}" for name, value in numbers.items()]
        self.program = program
        self.process = subprocess.Popen([program, *arguments], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        self.ports = list(map(int, self.process.stdout.readline().split()))
        assert self.ports, 'rest_node did not start'

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_S)
        self.process.stdout.close()
        assert status == 0, f'rest_node ended with {status}'

    def fail(self):
        self.process.stdin.write('fail\n')
        self.process.stdin.flush()

    def ask(self, target, method='GET', **more):
        with Client(self.ports[0]) as client:
            return client.ask(target, method, **more)


def told(answer, client):
    """What became of a request, in the words of the page."""
    if answer is None:
        return 'closed'
    words = str(answer.status) + (f' {answer.error}' if answer.error else '')
    if answer.keeps:
        with_next = client.ask('/healthz')
        assert with_next is not None and with_next.status == 200, 'kept, and yet not served'
        return f'{words}, kept'
    assert client.ended(), 'closed, and yet not ended'
    return f'{words}, closed'


def eventually(condition):
    """The first answer of `condition` that is true; for what has no event to wait for."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
    raise AssertionError('it never came about')
