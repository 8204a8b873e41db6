#!/usr/bin/env python3
# The parts of the tools that decide whether something failed: counting test cases, and what a
# client may conclude from a connection.
import asyncio
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools'))

from support.build import count_cases  # noqa: E402
from support.http_client import Client, NoAnswer, NotSent  # noqa: E402
from support.nodes import HOST, free_ports  # noqa: E402


class Counting(unittest.TestCase):
    def test_catch2_all_passed(self):
        self.assertEqual(count_cases('All tests passed (9 assertions in 4 test cases)\n', True),
                         (4, 0))

    def test_catch2_some_failed(self):
        output = 'test cases:  7 |  4 passed | 2 failed | 1 failed as expected\nassertions: 9 | 9\n'
        self.assertEqual(count_cases(output, False), (4, 2))

    def test_script_counts(self):
        self.assertEqual(count_cases('election ok\n41 passed, 0 failed\n', True), (41, 0))

    def test_a_program_without_counts_is_one(self):
        self.assertEqual(count_cases('hello\n', True), (1, 0))
        self.assertEqual(count_cases('hello\n', False), (0, 1))

    def test_a_crash_after_success_is_a_failure(self):
        self.assertEqual(count_cases('All tests passed (9 assertions in 4 test cases)\n', False),
                         (4, 1))


class Answers(unittest.TestCase):
    def exchange(self, serve, requests=1):
        handlers = []

        async def handle(reader, writer):
            handlers.append(asyncio.current_task())
            await serve(reader, writer)

        async def run():
            server = await asyncio.start_server(handle, HOST, 0)
            client = Client(HOST, server.sockets[0].getsockname()[1], timeout_s=0.3)
            try:
                return [await client.request('PUT', '/a', b'x') for _ in range(requests)]
            finally:
                client.close()
                server.close()
                await asyncio.gather(*handlers)
        return asyncio.run(run())

    def test_keep_alive_answers(self):
        async def serve(reader, writer):
            for body in (b'one', b''):
                await reader.readuntil(b'\r\n\r\nx')
                writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n' % len(body) + body)
                await writer.drain()
        self.assertEqual(self.exchange(serve, 2), [(200, b'one'), (200, b'')])

    def test_nobody_listens(self):
        client = Client(HOST, free_ports(1)[0])
        with self.assertRaises(NotSent):
            asyncio.run(client.request('GET', '/', b''))

    def test_a_connection_cut_after_the_request_leaves_the_outcome_open(self):
        async def serve(reader, writer):
            await reader.readuntil(b'\r\n\r\nx')
            writer.close()
        with self.assertRaises(NoAnswer):
            self.exchange(serve)

    def test_silence_leaves_the_outcome_open(self):
        async def serve(reader, writer):
            await reader.read()
            writer.close()
        with self.assertRaises(NoAnswer):
            self.exchange(serve)

    def test_a_short_answer_leaves_the_outcome_open(self):
        async def serve(reader, writer):
            await reader.readuntil(b'\r\n\r\nx')
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf')
            writer.close()
        with self.assertRaises(NoAnswer):
            self.exchange(serve)


if __name__ == '__main__':
    unittest.main()
