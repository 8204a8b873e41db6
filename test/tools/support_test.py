#!/usr/bin/env python3
# The parts of the tools that decide whether something failed: which tests are run, counting their
# cases, what may be skipped, what a client may conclude from a connection, and whether a broken
# network is broken.
import asyncio
import contextlib
import io
import os
import sys
import tempfile
import unittest
from unittest import mock

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools'))

from support import links  # noqa: E402
from support.build import Build, count_cases  # noqa: E402
from support.http_client import Client, NoAnswer, NotSent  # noqa: E402
from support.links import Link  # noqa: E402
from support.nodes import HOST, free_ports  # noqa: E402
from support.steps import Report  # noqa: E402


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


class Choosing(unittest.TestCase):
    """Of a build with a program in each of a few folders, and tests that run them."""

    def setUp(self):
        self.build = Build(None, 'release', [], 1)
        self.build.introspect = lambda what: {'targets': [
            self.target('raft_test', 'test/unit/raft'), self.target('sim_test', 'test/sim'),
            self.target('kommander-kv', 'examples/03_replicated_kv')], 'tests': [
            self.entry('raft', 'raft_test', ['/b/test/unit/raft/raft_test']),
            self.entry('sim', 'sim_test', ['/b/test/sim/sim_test']),
            self.entry('absent', 'sim_test', ['/usr/bin/python3', 'a.py'], 'kommander:style'),
            self.entry('kv', 'kommander-kv', ['/usr/bin/python3', 'test/integration/kv_test.py']),
            {'name': 'tidy', 'cmd': ['/a/tools/tidy'], 'suite': ['kommander:style'], 'depends': []}
        ]}[what]

    @staticmethod
    def target(name, folder):
        return {'id': f'1@@{name}@exe', 'name': name,
                'defined_in': os.path.join(os.getcwd(), folder, 'meson.build')}

    @staticmethod
    def entry(name, program, command, suite='kommander'):
        return {'name': name, 'cmd': command, 'suite': [suite], 'depends': [f'1@@{program}@exe']}

    def test_a_test_belongs_where_its_program_is_defined_whoever_runs_it(self):
        for folders, names in ((['test/unit'], ['raft']), (['test/sim', 'test/unit'],
                               ['raft', 'sim']), (['examples'], ['kv']), (['lib'], [])):
            self.assertEqual(self.build.tests_under(*folders), names)


class Reports(unittest.TestCase):
    def finish(self, report, **how):
        """(exit code, what was printed) of a report's end."""
        with contextlib.redirect_stdout(io.StringIO()) as said:
            with self.assertRaises(SystemExit) as left:
                report.finish(**how)
        return left.exception.code, said.getvalue()

    def report(self, *arguments):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return Report(folder.name, *arguments)

    def test_what_is_skipped_fails_only_where_nothing_may_be(self):
        for is_skip_a_failure, code, line in ((False, 0, 'skipped: fuzz: no clang++'),
                                              (True, 1, 'FAILED: fuzz: skipped, no clang++')):
            report = self.report(is_skip_a_failure)
            with contextlib.redirect_stdout(io.StringIO()):
                report.skip('fuzz', 'no clang++')
            ended, said = self.finish(report)
            self.assertEqual(ended, code)
            self.assertIn(line + '\n', said)
            self.assertTrue(said.endswith(f'0 passed, {code} failed\n'))

    def test_the_end_tells_what_each_step_took_beside_the_bound(self):
        report = self.report()
        with contextlib.redirect_stdout(io.StringIO()):
            report.step('good', [sys.executable, '-c', ''])
            report.run('bad', [sys.executable, '-c', 'raise SystemExit(1)'])
        report.started_s -= 1000
        ended, said = self.finish(report, bound_s=100)
        self.assertEqual(ended, 0)  # however long it took
        self.assertRegex(said, r'(?m)^good +\d+\.\d +0\.\d %\nbad +\d+\.\d +0\.\d %$')
        self.assertRegex(said, r'took 100\d s; the bound is 100 s')
        self.assertNotIn('bound', self.finish(report)[1])


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


class Links(unittest.TestCase):
    """What a dialler sends arrives in `heard`; everything is answered with its echo."""

    def run_link(self, steps):
        async def run():
            heard = asyncio.Queue()
            serving = []

            async def serve(reader, writer):
                serving.append(asyncio.current_task())
                try:
                    while data := await reader.read(100):
                        heard.put_nowait(data)
                        writer.write(data)
                except OSError:
                    pass
                heard.put_nowait(b'')
                writer.close()

            server = await asyncio.start_server(serve, HOST, 0)
            link = Link(1, 2, free_ports(1)[0], server.sockets[0].getsockname()[1])
            await link.start()
            try:
                await asyncio.wait_for(steps(link, heard), 10)
            finally:
                await link.close()
                server.close()
                await asyncio.wait(serving)
        asyncio.run(run())

    @staticmethod
    async def dial(link):
        reader, writer = await asyncio.open_connection(HOST, link.port)
        writer.write(b'hello')
        return reader, writer

    async def is_silent(self, awaitable):
        with self.assertRaises(asyncio.TimeoutError):
            await asyncio.wait_for(awaitable, 0.1)

    async def is_broken(self, reader):
        try:
            self.assertEqual(await reader.read(100), b'')
        except ConnectionError:
            pass

    def test_a_whole_link_carries_both_ways_and_a_slow_one_keeps_the_order(self):
        async def steps(link, heard):
            reader, writer = await self.dial(link)
            self.assertEqual(await reader.readexactly(5), b'hello')
            link.delay_s = 0.05
            for piece in (b'1', b'2', b'3'):
                writer.write(piece)
                await asyncio.sleep(0.01)
            self.assertEqual(await reader.readexactly(3), b'123')
            writer.close()
        self.run_link(steps)

    def test_a_cut_link_breaks_and_refuses_until_it_is_healed(self):
        async def steps(link, heard):
            reader, writer = await self.dial(link)
            self.assertEqual(await heard.get(), b'hello')
            link.cut()
            await reader.read(5)
            await self.is_broken(reader)
            self.assertEqual(await heard.get(), b'')
            again, other = await self.dial(link)
            await self.is_broken(again)
            link.heal()
            whole, third = await self.dial(link)
            self.assertEqual(await whole.readexactly(5), b'hello')
            for end in (writer, other, third):
                end.close()
        self.run_link(steps)

    def test_a_deaf_link_holds_one_direction_back(self):
        async def steps(link, heard):
            reader, writer = await self.dial(link)
            self.assertEqual(await reader.readexactly(5), b'hello')
            await heard.get()
            link.deafen(forth=True, back=False)
            writer.write(b'late')
            await self.is_silent(heard.get())
            link.heal()
            self.assertEqual(await heard.get(), b'late')
            self.assertEqual(await reader.readexactly(4), b'late')
            link.deafen(forth=False, back=True)
            writer.write(b'heard')
            self.assertEqual(await heard.get(), b'heard')
            await self.is_silent(reader.read(5))
            link.heal()
            self.assertEqual(await reader.readexactly(5), b'heard')
            writer.close()
        self.run_link(steps)

    def test_a_half_open_connection_is_dead_for_one_end_only(self):
        async def steps(link, heard):
            reader, writer = await self.dial(link)
            self.assertEqual(await reader.readexactly(5), b'hello')
            await heard.get()
            link.half_open()
            self.assertEqual(await heard.get(), b'')
            writer.write(b'lost')
            await self.is_silent(reader.read(1))
            fresh, other = await self.dial(link)
            self.assertEqual(await fresh.readexactly(5), b'hello')
            link.heal()
            await self.is_broken(reader)
            for end in (writer, other):
                end.close()
        self.run_link(steps)

    def test_a_link_is_alive_while_its_dialler_speaks(self):
        async def steps(link, heard):
            self.assertFalse(link.is_alive())
            reader, writer = await self.dial(link)
            await reader.readexactly(5)
            self.assertTrue(link.is_alive())
            with mock.patch.object(links, 'SILENCE_S', 0):
                self.assertFalse(link.is_alive())
            link.cut()
            await self.is_broken(reader)
            with mock.patch.object(links, 'SILENCE_S', float('inf')):
                while link.is_alive():  # for ever: the run times out
                    await asyncio.sleep(0)
            writer.close()
        self.run_link(steps)

    def test_an_answer_alone_makes_no_link_alive(self):
        async def run():
            serving = []

            async def serve(reader, writer):
                serving.append(asyncio.current_task())
                writer.write(b'welcome')
                await reader.read()
                writer.close()
            server = await asyncio.start_server(serve, HOST, 0)
            link = Link(1, 2, free_ports(1)[0], server.sockets[0].getsockname()[1])
            await link.start()
            reader, writer = await asyncio.open_connection(HOST, link.port)
            self.assertEqual(await reader.readexactly(7), b'welcome')
            self.assertFalse(link.is_alive())
            writer.close()
            await link.close()
            server.close()
            await asyncio.wait(serving)
        asyncio.run(run())


if __name__ == '__main__':
    unittest.main()
