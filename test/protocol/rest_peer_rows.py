# The rows of docs/rest.md about peers: what a node is told by somebody who says to be another
# one, and what it answers. Each gets a node that is not alone in its cluster, and has not met the
# others.
import base64
import contextlib
import json
import socket

from rest_client import QUICK, Client, Node, eventually, told
from rest_peer import FAREWELL, GREETING, HELLO, MESSAGES, as_bytes, batch

BODY_MAX = 22 << 20
HELLO_MAX = 4096
OVER = '; the session is over'
LEAVE = {'reason': 'None'}
# For a value of each type, those of the others; text that is no base64 among them.
WRONG_TYPES = {
    bool: (1, 0, 'true', None, [], {}),
    int: ('1', True, None, [1], {'n': 1}, 1.5),
    str: (1, True, None, ['eA=='], {}, '\x00'),
    dict: (1, True, None, [], 'x', {}),
    list: (1, True, None, {}, 'x', [1], [[]], [None]),
}


class Talk:
    """One connection, on which a node greets and speaks."""

    def __init__(self, node):
        self.client = Client(node.ports[0])
        self.session = ''

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.link.close()

    def post(self, path, value, session=None):
        word = self.session if session is None else session
        fields = [f'Kommander-Session: {word}'] if word else []
        body = as_bytes(value)
        if not body:
            fields.append('Content-Length: 0')
        return self.client.ask(path, 'POST', fields=fields, body=body)

    def greet(self):
        # A node that has just begun may not listen to peers yet.
        welcome = eventually(lambda: [answer for answer in [self.post(HELLO, GREETING, '')]
                                      if answer is None or answer.status != 503])[0]
        assert welcome is not None and welcome.status == 200, welcome and welcome.body
        self.session = json.loads(welcome.body)['session']

    def told(self, answer):
        return told(answer, self.client)


def meet(node):
    """Before any row."""
    with Talk(node) as talk:
        talk.greet()


def one(found):
    return ' or '.join(sorted(found))


def hellos(*values):
    """Greetings, or any bytes instead of one; all with the same answer."""
    def play(node):
        found = set()
        for value in values:
            with Talk(node) as talk:
                found.add(talk.told(talk.post(HELLO, value)))
        return one(found)
    return play


def changed(**fields):
    return {**GREETING, **fields}


def batches(*values):
    """Each in a session of its own, as its first; all with the same answer. Says so if no other
    may follow."""
    def play(node):
        found = set()
        with Talk(node) as talk:
            for value in values:
                talk.greet()
                words = talk.told(talk.post(MESSAGES, value))
                next_one = talk.post(MESSAGES, batch(2))
                found.add(words + {200: '', 401: OVER}[next_one.status])
        return one(found)
    return play


def spoilt(*pairs):
    """A sound batch, each time with one text replaced by another."""
    sound = as_bytes(batch(1))
    for text, _ in pairs:
        assert text in sound, text
    return batches(*[sound.replace(text, other, 1) for text, other in pairs])


def spread(value, change):
    """All that become of the value by one change of an object in it. `change` gives those of
    one object."""
    if isinstance(value, dict):
        yield from change(value)
        for name, inside in value.items():
            yield from ({**value, name: other} for other in spread(inside, change))
    if isinstance(value, list):
        for at, inside in enumerate(value):
            yield from (value[:at] + [other] + value[at + 1:] for other in spread(inside, change))


def leave_out(value):
    """Each field in turn."""
    for left_out in value:
        yield {name: inside for name, inside in value.items() if name != left_out}


def mistype(value):
    for name, inside in value.items():
        yield from ({**value, name: wrong} for wrong in WRONG_TYPES[type(inside)])


def two_in_order(node):
    with Talk(node) as talk:
        talk.greet()
        found = {talk.told(talk.post(MESSAGES, value)) for value in (batch(1), batch(2))}
        empty = {**batch(3), 'messages': []}
        return one(found | {talk.told(talk.post(MESSAGES, empty))})


def strangers(node):
    with Talk(node) as talk:
        return one({talk.told(talk.post(path, value, word))
                    for path, value in ((MESSAGES, batch(1)), (FAREWELL, LEAVE))
                    for word in ('', 32 * '0', 'x', 2000 * 'y')})


def sessions_that_are_over(node):
    found = set()
    with Talk(node) as talk:
        talk.greet()
        older = talk.session
        talk.greet()
        found.add(talk.told(talk.post(MESSAGES, batch(1), older)))
        assert talk.post(MESSAGES, batch(1)).status == 200
        for reason in ('None', 'IdentityReplaced', 'Anything'):
            talk.greet()
            assert talk.post(FAREWELL, {'reason': reason}).status == 200
            found.add(talk.told(talk.post(MESSAGES, batch(1))))
            found.add(talk.told(talk.post(FAREWELL, {'reason': reason})))
    return one(found)


def out_of_order(node):
    found = set()
    with Talk(node) as talk:
        for number in (2, 0, 5, (1 << 64) - 1):
            talk.greet()
            words = talk.told(talk.post(MESSAGES, batch(number)))
            found.add(words + {401: OVER}[talk.post(MESSAGES, batch(1)).status])
        talk.greet()
        assert talk.post(MESSAGES, batch(1)).status == 200
        words = talk.told(talk.post(MESSAGES, batch(1)))
        found.add(words + {401: OVER}[talk.post(MESSAGES, batch(2)).status])
    return one(found)


def announced(length, session):
    """A header alone: who says so much is not read."""
    lines = [b'POST %s HTTP/1.1' % MESSAGES.encode(), b'Host: x', b'Content-Length: %d' % length]
    if session:
        lines.append(b'Kommander-Session: ' + session.encode())
    return b'\r\n'.join(lines) + b'\r\n\r\n'


def too_large(node):
    found = set()
    with Talk(node) as talk:
        talk.greet()
        talk.client.send(announced(BODY_MAX + 1, talk.session))
        found.add(talk.told(talk.client.answer()))
    for word in ('', 32 * '0'):
        with Talk(node) as talk:
            talk.client.send(announced(HELLO_MAX + 1, word))
            found.add(talk.told(talk.client.answer()))
    return one(found)


def lengths(*lines):
    """A sound batch with these fields more."""
    def play(node):
        found = set()
        for line in lines:
            with Talk(node) as talk:
                talk.greet()
                body = as_bytes(batch(1))
                head = announced(len(body), talk.session).replace(
                    b'Content-Length: %d' % len(body), line.replace(b'#', b'%d' % len(body)))
                talk.client.send(head + body)
                found.add(talk.told(talk.client.answer()))
        return one(found)
    return play


def half_a_body(node):
    with Talk(node) as talk:
        talk.greet()
        body = as_bytes(batch(1))
        talk.client.send(announced(len(body), talk.session) + body[:100])
        talk.client.link.shutdown(socket.SHUT_WR)
        return talk.told(talk.client.answer())


def slow_body(member):
    with contextlib.ExitStack() as stack:
        node = stack.enter_context(Node(member.program, members=3, **QUICK))
        talk = stack.enter_context(Talk(node))
        talk.greet()
        body = as_bytes(batch(1))
        talk.client.send(announced(len(body), talk.session))
        talk.client.drip(body, 0.02)
        return talk.told(talk.client.answer())


def other_methods(node):
    found = set()
    with Talk(node) as talk:
        for path in (HELLO, MESSAGES, FAREWELL):
            for method in ('GET', 'HEAD', 'PUT', 'DELETE', 'OPTIONS', 'post'):
                answer = talk.client.ask(path, method)
                assert answer.fields['allow'] == 'POST', answer.fields
                words = talk.told(answer) if method != 'HEAD' else None
                found.add(words or f'{answer.status} MethodNotAllowed, kept')
    return one(found)


def parameters(node):
    with Talk(node) as talk:
        talk.greet()
        return one({talk.told(talk.post(path + '?x=1', value))
                    for path, value in ((HELLO, GREETING), (MESSAGES, batch(1)),
                                        (FAREWELL, LEAVE))})


def expectation(node):
    with Talk(node) as talk:
        talk.greet()
        body = as_bytes(batch(1))
        head = announced(len(body), talk.session)
        talk.client.send(head[:-2] + b'Expect: 100-continue\r\n\r\n')
        first = talk.client.interim()
        talk.client.send(body)
        return f'{first.split()[1]}, {talk.told(talk.client.answer())}'


def no_farewells(node):
    found = set()
    with Talk(node) as talk:
        talk.greet()
        for value in (b'', b'{}', b'[]', {'reason': 1}, {'reason': 'None', 'more': 1},
                      b'{"reason":"None","reason":"None"}', b'{"reason":"\xff"}'):
            found.add(talk.told(talk.post(FAREWELL, value)))
        assert talk.post(MESSAGES, batch(1)).status == 200, 'the session goes on'
    return one(found)


def nested(depth, inside=b''):
    return b'{"from":' + depth * b'[' + inside + depth * b']' + b'}'


def filled(first, piece, last):
    """As much as a body may have."""
    return first + (BODY_MAX - len(first) - len(last)) // len(piece) * piece + last


def wrong_base64():
    """For each field of bytes, and for the digest one of another length."""
    texts = (b'eA', b'eA=', b'eA===', b'eB==', b'e===', b'====', b'eA==eA==', b'e A=', b'eA==\\n',
             b'-_==', b'eA\\u0000=')
    digest = 43 * b'A' + b'='
    return [(b'"body":"eA=="', b'"body":"%s"' % text) for text in texts] + \
           [(b'"data":"eA=="', b'"data":"%s"' % text) for text in texts] + \
           [(digest, text) for text in (b'', b'eA==', 44 * b'A', 42 * b'A' + b'==')]


HUGE = (b'4294967296', b'18446744073709551616', b'1' + 400 * b'0')
ROWS = {
    'e1': hellos(*[changed(clusterId=base64.b64encode(name).decode())
                   for name in (b'', b'other', b'rest\x00', b'\xff\xfe', 256 * b'x')]),
    'e2': hellos(changed(versionMin=900, versionMax=900), changed(versionMin=0, versionMax=0),
                 changed(versionMin=1, versionMax=0)),
    'e3': hellos(changed(node=9), changed(node=0), changed(to=3), changed(to=0)),
    'e4': hellos(changed(node=1)),
    'e5': hellos(changed(bootstrapDigest=1)),
    'e6': hellos(b'', b'{}', b'[]', b'hello', as_bytes(GREETING)[:-1], as_bytes(GREETING) + b'}',
                 *spread(GREETING, leave_out), *spread(GREETING, mistype),
                 {**GREETING, 'token': 1}, as_bytes(GREETING)[:-1] + b',"to":1}',
                 changed(versionMin=65536), changed(node=1 << 32), changed(nonce=1 << 64),
                 changed(clusterId=base64.b64encode(257 * b'x').decode())),
    'e7': hellos((HELLO_MAX + 1) * b' '),
    'e8': two_in_order,
    'e9': strangers,
    'e10': sessions_that_are_over,
    'e11': out_of_order,
    'e12': batches({**batch(1), 'from': 3}, {**batch(1), 'to': 3}, {**batch(1), 'from': 0}),
    'e13': batches(b'', b' ', b'null', b'[]', b'1', b'x', b'\x00', as_bytes(batch(1))[:-1],
                   as_bytes(batch(1)) + b'{}', as_bytes(batch(1)) + b'\x00',
                   b'/**/' + as_bytes(batch(1)), b'\xef\xbb\xbf' + as_bytes(batch(1)),
                   as_bytes(batch(1))[:-2] + b',]}', b"{'from':2}", b'{"from":NaN}',
                   b'{"from":Infinity}', b'{from:2}'),
    'e14': spoilt(*[(b'"voteRequest"', b'"voteRequest%s"' % text) for text in
                    (b'\xff', b'\xc3', b'\xe2\x82', b'\xed\xa0\x80', b'\xc0\xaf',
                     b'\xf5\x80\x80\x80', b'\\ud800')],
                  *[(b'"from"', b'"from%s"' % text) for text in (b'\xff', b'\xed\xa0\x80')]),
    'e15': batches(nested(33), nested(100_000), 100_000 * b'[', 100_000 * b'{"from":'),
    'e16': spoilt((b'"from":2', b'"from":2,"from":2'), (b'"term":1', b'"term":1,"term":1'),
                  (b'"l":1000', b'"l":1000,"l":1000'),
                  (b'"body":"eA=="', b'"body":"eA==","body":"eA=="'),
                  (b'"from":2', b'"from":2,"\\u0066rom":2')),
    'e17': batches(*spread(batch(1), leave_out), {**batch(1), 'more': 1},
                   *[{**batch(1), 'messages': [{**message, 'more': 1}]}
                     for message in batch(1)['messages']],
                   *[{**batch(1), 'messages': [{**batch(1)['messages'][0], 'type': kind}]}
                     for kind in ('', 'VoteRequest', 'vote', 'voteReply', 'voteRequest ')]),
    'e18': batches(*spread(batch(1), mistype)),
    'e19': spoilt(*[(b'"partition":65000', b'"partition":%s' % text) for text in
                    (b'-1', b'-0', b'1.0', b'1e0', b'1E2', b'0.5', b'01', b'+1', b'0x1', *HUGE)],
                  *[(b'"lastIndex":0', b'"lastIndex":%s' % text) for text in
                    (b'-1', b'1.0', b'1e0', *HUGE[1:])],
                  (b'"kind":1', b'"kind":255'), (b'"kind":1', b'"kind":4294967297'),
                  (b'"state":2', b'"state":3'), (b'"l":1000', b'"l":4398046511104'),
                  (b'"c":0', b'"c":4194304'), (b'"from":2', b'"from":4294967298')),
    'e20': spoilt(*wrong_base64()),
    'e21': too_large,
    'e22': batches(BODY_MAX * b'[', filled(b'[', b'1,', b'1]'), filled(b'[', b'{},', b'{}]'),
                   filled(b'{', b'"a":1,', b'"a":1}')),
    'e23': lengths(b'Content-Length: #\r\nContent-Length: #',
                   b'Content-Length: #\r\ncontent-length: 1',
                   b'Content-Length: #\r\nTransfer-Encoding: chunked',
                   b'Transfer-Encoding: chunked\r\nContent-Length: #'),
    'e24': lengths(b'Transfer-Encoding: chunked', b'Transfer-Encoding: gzip'),
    'e25': half_a_body,
    'e26': slow_body,
    'e27': no_farewells,
    'e28': other_methods,
    'e29': parameters,
    'e30': expectation,
}
