# Asking a server process until it says what is waited for: it has no event for who is outside.
import http.client
import select
import time

from support.nodes import HOST

PATIENCE_S = 60.0  # with a process that a busy machine does not let run
_POLL_S = 0.02


def await_true(what, condition):
    """What `condition` answers, once that is true."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := condition():
            return found
        select.select([], [], [], _POLL_S)
    raise AssertionError(f'not within {PATIENCE_S:g} s: {what}')


def request(node, method, path, body=None, headers=None):
    """(status, answer). Raises OSError when there is no answer."""
    connection = http.client.HTTPConnection(HOST, node.http_port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def try_request(node, method, path, body=None):
    """(status, answer); status 0 when there is no answer."""
    try:
        return request(node, method, path, body)
    except OSError:
        return 0, b''
