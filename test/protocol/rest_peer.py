# What a node says to another one over HTTP: docs/rest.md. Values of it, to be sent as they are, or
# spoilt.
import base64
import json

from peer import bootstrap_digest

HELLO, MESSAGES, FAREWELL = (f'/v1/raft/{name}' for name in ('handshake', 'messages', 'farewell'))

GREETING = {'clusterId': base64.b64encode(b'rest').decode(), 'node': 2, 'to': 1, 'incarnation': 7,
            'versionMin': 1, 'versionMax': 1, 'bootstrapDigest': bootstrap_digest([1, 2, 3]),
            'knowsRoster': False, 'knownIncarnation': 0, 'nonce': 5}
TICKET = {'n': 2, 'l': 1000, 'c': 0}
ENTRY = {'term': 1, 'index': 1, 'ticket': TICKET, 'kind': 1, 'body': 'eA=='}
# One of each type, with the fields that only it has.
BODIES = {
    'voteRequest': {'lastIndex': 0, 'lastTerm': 0, 'preVote': True, 'transfer': False, 'admits': 0},
    'voteReply': {'preVote': True, 'granted': False},
    'appendRequest': {'previousIndex': 0, 'previousTerm': 0, 'commit': 0, 'entries': [ENTRY]},
    'appendReply': {'accepted': True, 'matched': 0, 'rejected': 0, 'hintIndex': 0, 'hintTerm': 0},
    'heartbeat': {'commit': 0, 'round': 1},
    'heartbeatReply': {'round': 1, 'durable': 0},
    'readIndexRequest': {'request': 1},
    'readIndexReply': {'request': 1, 'confirmed': False, 'index': 0},
    'transferRequest': {},
    'snapshotOffer': {'index': 1, 'snapshotTerm': 1, 'bytes': 1, 'sha256': 43 * 'A' + '='},
    'snapshotChunk': {'index': 1, 'offset': 0, 'data': 'eA=='},
    'snapshotReply': {'index': 1, 'received': 0, 'state': 2},
    'forwardRequest': {'number': 1, 'patienceMs': 1, 'expectedGeneration': 0, 'kind': 1,
                       'awaitApply': False, 'data': ''},
    'forwardReply': {'number': 1, 'error': 0, 'leader': 0, 'ticket': TICKET, 'index': 0,
                     'entryTerm': 0, 'count': 0},
}
NOWHERE = 65000  # a partition


def batch(sequence, sender=2):
    stamp = {'l': 1000, 'c': 0}
    return {'from': sender, 'to': 1, 'sequence': sequence,
            'messages': [{'type': kind, 'partition': NOWHERE, 'term': 1, 'stamp': stamp, **body}
                         for kind, body in BODIES.items()]}


def as_bytes(value):
    return value if isinstance(value, bytes) else json.dumps(value, separators=(',', ':')).encode()
