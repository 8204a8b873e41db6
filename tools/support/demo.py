# The demo: three real processes agree on the lines of a file while their leader is killed; nothing
# acknowledged may be lost. Started by tools/demo.
import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.build import build_program  # noqa: E402
from support.cluster_run import ClusterRun  # noqa: E402
from support.nodes import DemoError, make_nodes  # noqa: E402
from support.steps import jobs_default, say  # noqa: E402

DEFAULT_INPUT = 'examples/data/harbour_log.txt'
PROGRAM = 'kommander-kv'
LINE_BYTES_MAX = 1 << 20
TIME_MAX_S = 120
LINES_PER_SECOND_MIN = 200  # below this rate something is wrong with the machine or with us


class Interrupted(Exception):
    """Somebody asked the demo to end."""


def from_caller(path):
    """A path as the caller of tools/demo meant it; the demo itself runs in the project's root."""
    return path and os.path.join(os.environ.get('KOMMANDER_CALLED_FROM', os.getcwd()), path)


def read_lines(path):
    try:
        with open(path, 'rb') as stream:
            lines = stream.read().split(b'\n')
    except OSError as error:
        raise DemoError(f'cannot read {path}: {error.strerror}') from None
    if lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise DemoError(f'{path} has no lines')
    for number, line in enumerate(lines, 1):
        try:
            line.decode('utf-8')
        except UnicodeDecodeError:
            raise DemoError(f'{path}:{number}: not UTF-8') from None
        if len(line) > LINE_BYTES_MAX:
            raise DemoError(f'{path}:{number}: longer than {LINE_BYTES_MAX} bytes')
    return lines


def print_table(rows):
    width = max(len(name) for name, _ in rows)
    say('')
    for name, value in rows:
        say(f'  {name:<{width}}  {value:>12}')
    say('')


def stop_all(nodes):
    for node in nodes:
        node.ask_to_stop()
    return [problem for problem in [node.await_stop() for node in nodes] if problem]


async def run(program, lines, folder):
    """The problems that were found; none means that the demo succeeded."""
    nodes = make_nodes(program, folder)
    time_max_s = TIME_MAX_S + len(lines) / LINES_PER_SECOND_MIN
    try:
        cluster = ClusterRun(nodes, lines)
        task = asyncio.ensure_future(cluster.run())
        for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(name, task.cancel)
        try:
            await asyncio.wait_for(task, time_max_s)
        except asyncio.TimeoutError:
            raise DemoError(f'not finished within {time_max_s:.0f} s: {cluster.where()}') from None
        except asyncio.CancelledError:
            raise Interrupted() from None
        print_table(cluster.table())
        problems = cluster.problems
    finally:
        ended = stop_all(nodes)
    return problems + ended


def main():
    parser = argparse.ArgumentParser(prog='tools/demo', description='Three processes agree on the '
                                     'lines of a file while their leader is killed.')
    parser.add_argument('--input', metavar='FILE', help=f'UTF-8 text (default: {DEFAULT_INPUT})')
    parser.add_argument('--program', help=f'a built {PROGRAM}, instead of building it')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    arguments = parser.parse_args()
    folder = None
    try:
        lines = read_lines(from_caller(arguments.input) or DEFAULT_INPUT)
        program = from_caller(arguments.program) or build_program(PROGRAM, arguments.jobs)
        os.makedirs('build', exist_ok=True)
        # Beside the build and not in /tmp, which is memory on many systems: syncs shall be real.
        folder = tempfile.mkdtemp(prefix='demo-', dir='build')
        started_s = time.monotonic()
        problems = asyncio.run(run(program, lines, folder))
        say(f'took {time.monotonic() - started_s:.1f} s')
    except Interrupted:
        say('interrupted')
        shutil.rmtree(folder, ignore_errors=True)
        return 130
    except (DemoError, OSError) as error:
        problems = [str(error)]
    for problem in problems[:20]:
        print(f'tools/demo: {problem}', file=sys.stderr)
    if problems and folder:
        print(f'tools/demo: data and logs of the nodes are kept in {folder}', file=sys.stderr)
    elif folder:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
