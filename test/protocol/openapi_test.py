#!/usr/bin/env python3
# Holds docs/openapi.json against a node that runs, in both directions: every status, type and field
# that it describes is met, and whatever is met is described.
#   openapi_test.py rest_node docs/openapi.json SOURCE...
# The sources are those that have the paths.
import json
import re
import sys
import unittest

from rest_client import Node, eventually
from rest_peer import BODIES, FAREWELL, GREETING, HELLO, MESSAGES, batch

# Only while a snapshot is on its way to a peer, and before a member's first handshake.
RARE = {'SnapshotOnItsWay', ('Member.incarnation', 'null')}
# While a node stops.
RARE_ANSWERS = {('/v1/raft/handshake', '503', 'application/json'),
                ('/v1/raft/messages', '503', 'application/json'),
                ('/v1/raft/farewell', '503', 'application/json')}


class Schemas:
    """Judges values by the part of JSON Schema that the page uses, and remembers what was met."""

    def __init__(self, page):
        self.named = page['components']['schemas']
        self.met = set()

    def check(self, schema, value, where):
        if '$ref' in schema:
            name = schema['$ref'].rsplit('/', 1)[1]
            self.met.add(name)
            return self.check(self.named[name], value, name)
        if 'oneOf' in schema:
            fitting = [one for one in schema['oneOf'] if not self.problems(one, value)]
            assert len(fitting) == 1, f'{where}: {value!r} fits {len(fitting)} of oneOf'
            return self.check(fitting[0], value, where)
        known = {'type', 'required', 'additionalProperties', 'properties', 'items', 'maxItems',
                 'minimum', 'maximum', 'pattern', 'enum', 'description', 'default'}
        assert set(schema) <= known, f'{where}: unknown to this test: {set(schema) - known}'
        types = schema['type'] if isinstance(schema['type'], list) else [schema['type']]
        kind = self.kind(value)
        assert kind in types, f'{where}: {value!r} is no {types}'
        self.met.add((where, kind))
        if 'enum' in schema:
            assert value in schema['enum'], f'{where}: {value!r} is not in {schema["enum"]}'
        getattr(self, f'check_{kind}', lambda *_: None)(schema, value, where)

    @staticmethod
    def kind(value):
        if isinstance(value, bool):
            return 'boolean'
        return {dict: 'object', list: 'array', str: 'string', int: 'integer',
                type(None): 'null'}[type(value)]

    def check_object(self, schema, value, where):
        fields = schema['properties']
        assert schema['additionalProperties'] is False and set(schema['required']) == set(fields)
        assert set(value) == set(fields), f'{where}: fields differ: {set(value) ^ set(fields)}'
        for name, one in fields.items():
            self.check(one, value[name], f'{where}.{name}')

    def check_array(self, schema, value, where):
        assert len(value) <= schema.get('maxItems', len(value)), where
        for one in value:
            self.check(schema['items'], one, f'{where}[]')

    def check_integer(self, schema, value, where):
        assert schema.get('minimum', value) <= value <= schema.get('maximum', value), (where, value)

    def check_string(self, schema, value, where):
        assert re.search(schema.get('pattern', ''), value), f'{where}: {value!r}'

    def problems(self, schema, value):
        before = set(self.met)
        try:
            self.check(schema, value, '')
        except AssertionError as problem:
            return problem
        finally:
            self.met = before
        return None

    def wanted(self):
        """All that a run is to meet: each schema, each type of each field."""
        for name, schema in self.named.items():
            if name not in RARE:
                yield name
                yield from (field for field in self.wanted_of(schema, name) if field not in RARE)

    def wanted_of(self, schema, where):
        if '$ref' in schema or 'oneOf' in schema:
            return
        types = schema['type'] if isinstance(schema['type'], list) else [schema['type']]
        yield from ((where, kind) for kind in types)
        for name, one in schema.get('properties', {}).items():
            yield from self.wanted_of(one, f'{where}.{name}')
        if 'items' in schema:
            yield from self.wanted_of(schema['items'], f'{where}[]')


class OpenApiTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        with open(PAGE, encoding='utf-8') as stream:
            cls.page = json.load(stream)
        cls.schemas = Schemas(cls.page)
        cls.met = set()

    def described(self, path):
        """What the page says of a path: each has one method."""
        [(method, operation)] = self.page['paths'][path].items()
        return method.upper(), operation

    def ask(self, node, path, target, method='GET', **more):
        """One answer, held against the page, and the same for HEAD."""
        answer = node.ask(target, method, **more)
        described = self.described(path)[1]['responses']
        self.assertIn(str(answer.status), described, target)
        response = described[str(answer.status)]
        kind = answer.fields['content-type']
        self.assertIn(kind, response['content'])
        for field in response.get('headers', {}):
            self.assertIn(field.lower(), answer.fields)
        if kind == 'application/json' and method != 'HEAD':
            self.schemas.check(response['content'][kind]['schema'], json.loads(answer.body), target)
        self.met.add((path, str(answer.status), kind))
        return answer

    def test_every_answer_is_described_and_every_description_is_met(self):
        with Node(PROGRAM, nodes=3) as three, Node(PROGRAM, members=3) as alone:
            self.see_three(three)
            self.see_alone(alone)
            self.see_peer(alone)
            self.see_refusals(alone)
            with Node(PROGRAM) as broken:
                self.see_broken(broken)
        described = {(path, status, kind)
                     for path in self.page['paths']
                     for status, response in self.described(path)[1]['responses'].items()
                     for kind in response['content']}
        # A build either has metrics or says that it has none.
        metrics = {('/metrics', '200', 'text/plain; version=0.0.4'),
                   ('/metrics', '404', 'application/json')}
        self.assertEqual(self.met - metrics, described - metrics - RARE_ANSWERS)
        self.assertEqual(len(self.met & metrics), 1)
        self.assertEqual(sorted(map(str, set(self.schemas.wanted()) - self.schemas.met)), [])

    def see_three(self, node):
        """Each node of the process in turn: one of them leads."""
        for port in list(node.ports):
            node.ports[0] = port
            # The first node has set it; another one may learn of it later.
            eventually(lambda: json.loads(node.ask('/v1/cluster').body)['settings'])
            cluster = self.ask(node, '/v1/cluster', '/v1/cluster')
            self.assertEqual([one['node'] for one in json.loads(cluster.body)['members']],
                             [1, 2, 3])
            self.assertEqual(json.loads(cluster.body)['settings'][0]['name'], 'colour')
            first = json.loads(self.ask(node, '/v1/partitions', '/v1/partitions?limit=3').body)
            self.assertEqual(first['next'], 2)
            rest = json.loads(self.ask(node, '/v1/partitions', '/v1/partitions?after=2').body)
            self.assertEqual((rest['next'], len(rest['partitions'])), (None, 1))
            path = '/v1/partitions/{partition}'
            for partition in range(4):
                self.ask(node, path, f'/v1/partitions/{partition}')
                self.ask(node, path, f'/v1/partitions/{partition}', 'HEAD')
            self.ask(node, path, '/v1/partitions/4')
            self.ask(node, '/metrics', '/metrics')
            self.ask(node, '/healthz', '/healthz')
            self.ask(node, '/healthz', '/healthz?ready')

    def see_alone(self, node):
        """A node that has never joined: alive, and not ready."""
        self.assertEqual(self.ask(node, '/healthz', '/healthz').status, 200)
        health = self.ask(node, '/healthz', '/healthz?ready=1')
        self.assertEqual(health.status, 503)
        self.assertEqual(json.loads(health.body)['reasons'][0]['name'], 'NodeIsNotReady')
        self.ask(node, '/v1/cluster', '/v1/cluster')
        self.ask(node, '/v1/partitions/{partition}', '/v1/partitions/1')
        # It has the system partition alone, without a leader.
        self.ask(node, '/v1/partitions/{partition}', '/v1/partitions/0')
        self.ask(node, '/v1/partitions', '/v1/partitions')

    def see_broken(self, node):
        node.fail()
        health = eventually(lambda: [a for a in [node.ask('/healthz')] if a.status != 200])[0]
        self.assertEqual(health.status, 503)
        health = json.loads(self.ask(node, '/healthz', '/healthz').body)
        self.assertEqual(health['status'], 'failed')
        self.assertIn('PartitionFailed', [reason['name'] for reason in health['reasons']])

    def post(self, node, path, value, session=None):
        """A request that is as the page says, and its answer."""
        schema = self.page['paths'][path]['post']['requestBody']['content']['application/json']
        if isinstance(value, dict):
            self.schemas.check(schema['schema'], value, path)
        fields = [f'Kommander-Session: {session}'] if session else []
        return self.ask(node, path, path, 'POST', fields=fields, body=json.dumps(value).encode())

    def see_peer(self, node):
        """As another node of its cluster."""
        def greet():
            # A node that has just begun may not listen to peers yet.
            eventually(lambda: node.ask(HELLO, 'POST', body=b'{}').status != 503)
            welcome = self.post(node, HELLO, GREETING)
            self.assertEqual(welcome.status, 200, welcome.body)
            return json.loads(welcome.body)['session']

        other = {**GREETING, 'clusterId': ''}
        self.assertEqual(self.post(node, HELLO, other).error, 'ClusterIdMismatch')
        self.assertEqual(self.post(node, HELLO, []).status, 400)
        session = greet()
        received = self.post(node, MESSAGES, batch(1), session)
        self.assertEqual(json.loads(received.body), {'received': len(BODIES)})
        self.assertEqual(self.post(node, MESSAGES, [], session).status, 400)
        self.assertEqual(self.post(node, MESSAGES, batch(2), session).status, 401)
        self.assertEqual(self.post(node, MESSAGES, batch(2), greet()).status, 409)
        self.assertEqual(self.post(node, MESSAGES, batch(1, sender=3), greet()).status, 403)
        session = greet()
        self.assertEqual(self.post(node, FAREWELL, [], session).status, 400)
        self.assertEqual(json.loads(self.post(node, FAREWELL, {'reason': 'None'}, session).body),
                         {})
        self.assertEqual(self.post(node, FAREWELL, {'reason': 'None'}, session).status, 401)

    def see_refusals(self, node):
        for path in self.page['paths']:
            target = path.replace('{partition}', '1')
            own, _ = self.described(path)
            allowed = 'GET, HEAD' if own == 'GET' else own
            self.assertEqual(self.ask(node, path, target + '?nonsense=1', own).status, 400)
            for method in ('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'BREW'):
                if method != own:
                    answer = self.ask(node, path, target, method)
                    self.assertEqual((answer.status, answer.fields['allow']), (405, allowed))

    def test_the_page_has_every_path_of_the_routes(self):
        paths = set()
        for source in SOURCES:
            with open(source, encoding='utf-8') as stream:
                paths |= set(re.findall(r'string_view k\w+Path = "([^"]+)"', stream.read()))
        described = {path.replace('{partition}', '') for path in self.page['paths']}
        self.assertEqual(paths, described)


if __name__ == '__main__':
    PROGRAM, PAGE, *SOURCES = sys.argv[1:]
    unittest.main(argv=sys.argv[:1], verbosity=2)
