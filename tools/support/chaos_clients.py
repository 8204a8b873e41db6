# The clients: they write, read, swap, delete and append, and record what they saw for
# kommander-history. An operation whose answer never came is recorded as unknown.
import asyncio
import json
import random
import time

from support.http_client import Client, NoAnswer, NotSent
from support.nodes import HOST, DemoError

OPERATIONS_PER_KEY_MAX = 195  # and one look through every node at the end
UNKNOWN_PER_KEY_MAX = 8
CLIENTS_PER_KEY = 4
TIMEOUT_S = 4.0  # twice the server's own
PAUSE_MAX_S = 0.01
REFUSED_PAUSE_S = 0.05


class Recorder:
    """The file of records, and the counts of the last line."""

    def __init__(self, path):
        self.path = path
        self.operations = self.acknowledged = self.failed = self.unknown = 0
        self._stream = open(path, 'w')

    def add(self, record):
        self.operations += 1
        outcome = record['outcome']
        self.acknowledged += outcome == 'ok'
        self.failed += outcome == 'fail'
        self.unknown += outcome == 'unknown'
        self._stream.write(json.dumps(record) + '\n')

    def add_log(self, node, partition, lines):
        record = {'node': node, 'partition': partition,
                  'log': [[line['index'], line['term'], line['data']] for line in lines]}
        self._stream.write(json.dumps(record) + '\n')

    def close(self):
        self._stream.close()


class Session:
    """One client: connections to every node, one request at a time."""

    def __init__(self, number, nodes, recorder):
        self.number = number
        self.recorder = recorder
        self._clients = [Client(HOST, node.http_port, TIMEOUT_S) for node in nodes]

    def close(self):
        for client in self._clients:
            client.close()

    async def ask(self, node, method, path, body, record, is_good):
        """Fills the record in and adds it. Returns the answer's body if is_good(status)."""
        record['call_ns'] = time.monotonic_ns()
        status, answer = 0, b''
        try:
            status, answer = await self._clients[node].request(method, path, body)
            record['outcome'] = 'ok' if is_good(status) else self._outcome(path, status, answer)
        except NotSent:
            record['outcome'] = 'fail'
        except NoAnswer:
            record['outcome'] = 'unknown'
        is_ok = record['outcome'] == 'ok'
        record['return_ns'] = time.monotonic_ns() if is_ok else None
        return answer if is_ok else None

    @staticmethod
    def _outcome(path, status, answer):
        outcome = json.loads(answer).get('outcome') if status in (500, 503, 504) else None
        if outcome not in ('not_applied', 'unknown'):
            raise DemoError(f'{path} was answered with {status} {answer[:200]!r}')
        return 'fail' if outcome == 'not_applied' else 'unknown'

    async def write(self, node, key, value):
        record = {'client': self.number, 'key': key, 'kind': 'write', 'value': value}
        await self.ask(node, 'PUT', f'/kv/{key}', value.encode(), record, lambda s: s == 200)
        self.recorder.add(record)
        return record

    async def read(self, node, key):
        record = {'client': self.number, 'key': key, 'kind': 'read'}
        found = []

        def is_good(status):
            found.append(status)
            return status in (200, 404)
        answer = await self.ask(node, 'GET', f'/kv/{key}', b'', record, is_good)
        if answer is not None:
            record['result'] = answer.decode() if found == [200] else None
        self.recorder.add(record)
        return record

    async def delete(self, node, key):
        record = {'client': self.number, 'key': key, 'kind': 'delete'}
        answer = await self.ask(node, 'DELETE', f'/kv/{key}', b'', record, lambda s: s == 200)
        if answer is not None:
            record['result'] = json.loads(answer)['existed']
        self.recorder.add(record)
        return record

    async def swap(self, node, key, expect, value):
        record = {'client': self.number, 'key': key, 'kind': 'cas', 'expect': expect,
                  'value': value}
        body = json.dumps({'expect': expect, 'value': value}).encode()
        answer = await self.ask(node, 'POST', f'/kv/{key}/cas', body, record,
                                lambda s: s in (200, 409))
        if answer is not None:
            told = json.loads(answer)
            record['result'] = True if told['swapped'] else {'current': told['current']}
        self.recorder.add(record)
        return record

    async def append(self, node, partition, data):
        record = {'partition': partition, 'data': data}
        answer = await self.ask(node, 'POST', f'/log/{partition}', data.encode(), record,
                                lambda s: s == 200)
        if answer is not None:
            record['index'] = json.loads(answer)['index']
        self.recorder.add(record)
        return record


class KeyGroup:
    """The key that a few clients fight for; a new one when its history is long enough."""

    def __init__(self, name):
        self._name = name
        self.keys = []
        self._begin()

    def _begin(self):
        self.key = f'{self._name}-{len(self.keys)}'
        self.keys.append(self.key)
        self._begun = 0
        self._unknown = 0
        self.seen = None

    def take(self):
        if self._begun == OPERATIONS_PER_KEY_MAX or self._unknown >= UNKNOWN_PER_KEY_MAX:
            self._begin()
        self._begun += 1
        return self.key

    def note(self, record):
        if record['key'] != self.key:
            return
        self._unknown += record['outcome'] == 'unknown'
        if record['outcome'] == 'ok' and record['kind'] == 'read':
            self.seen = record['result']


class Load:
    """All clients of a run."""

    def __init__(self, nodes, recorder, seed, groups, appenders, partitions):
        self._nodes = nodes
        self._recorder = recorder
        self._seed = seed
        self._groups = [KeyGroup(f'k{group}') for group in range(groups)]
        self._appenders = appenders
        self._partitions = partitions
        self._sessions = 0
        self._tasks = []
        self._is_stopping = False

    def session(self):
        self._sessions += 1
        return Session(self._sessions, self._nodes, self._recorder)

    def start(self):
        for group in self._groups:
            self._tasks += [self._run(self._fight, group) for _ in range(CLIENTS_PER_KEY)]
        self._tasks += [self._run(self._append, 1 + number % self._partitions)
                        for number in range(self._appenders)]

    def check(self):
        """Raises what ended a client."""
        for task in self._tasks:
            if task.done():
                task.result()

    async def stop(self):
        """Every call that is under way ends; nobody makes another."""
        self._is_stopping = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        self.check()

    async def look_everywhere(self):
        """Every key is read once through every node."""
        async def look(node):
            session = self.session()
            for group in self._groups:
                for key in group.keys:
                    await session.read(node, key)
            session.close()
        await asyncio.gather(*map(look, range(len(self._nodes))))

    def _run(self, work, subject):
        session = self.session()
        chance = random.Random(f'{self._seed}/{session.number}')

        async def turns():
            node = chance.randrange(len(self._nodes))
            number = 0
            try:
                while not self._is_stopping:
                    if chance.random() < 0.1:
                        node = chance.randrange(len(self._nodes))
                    number += 1
                    record = await work(session, chance, node, subject, number)
                    if record['outcome'] != 'ok':
                        node = chance.randrange(len(self._nodes))
                        await asyncio.sleep(REFUSED_PAUSE_S)
                    await asyncio.sleep(chance.uniform(0, PAUSE_MAX_S))
            finally:
                session.close()
        return asyncio.ensure_future(turns())

    @staticmethod
    async def _fight(session, chance, node, group, number):
        key = group.take()
        value = f'{session.number}.{number}'
        dice = chance.random()
        if dice < 0.45:
            record = await session.read(node, key)
        elif dice < 0.72:
            record = await session.write(node, key, value)
        elif dice < 0.95:
            record = await session.swap(node, key, group.seen, value)
        else:
            record = await session.delete(node, key)
        group.note(record)
        return record

    @staticmethod
    async def _append(session, chance, node, partition, number):
        return await session.append(node, partition, f'{session.number}.{number}')
