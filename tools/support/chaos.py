# Chaos: real processes under faults, judged by what their clients saw. Started by tools/chaos.
import argparse
import asyncio
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from support.build import build_program  # noqa: E402
from support.chaos_run import ChaosRun  # noqa: E402
from support.demo import Interrupted, from_caller, print_table, stop_all  # noqa: E402
from support.nodes import DemoError  # noqa: E402
from support.steps import jobs_default, say  # noqa: E402

SERVER, JUDGE = 'kommander-kv', 'kommander-history'
SECONDS_PER_FAULT_MAX = 4  # fewer faults than that are a run that proves nothing
ACKNOWLEDGED_PER_S_MIN = 5
JUDGE_S = 300
EXTRA_S = 240  # start, agreement, reading back
LEADER_KILL_S = 60


def quantile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def failover_rows(run, timeout_ms):
    if not run.failovers_s:
        return []
    bound_s = 4 * timeout_ms / 1000 + 0.5
    late = sum(took > bound_s for took in run.failovers_s)
    found = [f'{quantile(run.failovers_s, share):.2f}' for share in (0.5, 0.9, 1.0)]
    return [('leader kills', f'{len(run.failovers_s)}'),
            ('unavailable p50/p90/max', ' / '.join(found) + ' s'),
            ('bound 4T + 0.5 s', f'{bound_s:.2f} s'),
            ('beyond the bound', f'{late}')]


def table(run, arguments):
    recorder = run.recorder
    rows = [('seed', str(arguments.seed)), ('nodes', str(arguments.nodes)),
            ('operations', f'{recorder.operations:,}'),
            ('acknowledged', f'{recorder.acknowledged:,}'),
            ('refused, had no effect', f'{recorder.failed:,}'),
            ('outcome unknown', f'{recorder.unknown:,}')]
    rows += [(f'fault: {kind}', str(count)) for kind, count in sorted(run.faults.fired.items())]
    return rows + failover_rows(run, arguments.election_timeout_ms)


def coverage_problems(run, arguments):
    """A run without faults or without load proves nothing."""
    faults = run.faults
    wanted = arguments.seconds // SECONDS_PER_FAULT_MAX
    kinds = [*faults.process_kinds, *faults.network_kinds]
    total = sum(faults.fired[kind] for kind in kinds)
    if total < wanted:
        yield f'only {total} faults fired, {wanted} were demanded'
    for kind in kinds:
        if not faults.fired[kind] and arguments.seconds >= SECONDS_PER_FAULT_MAX * 2 * len(kinds):
            yield f'the fault "{kind}" never fired'
    if faults.fired['leader kill'] < arguments.leader_kills:
        yield 'not every leader was killed'
    if run.recorder.acknowledged < ACKNOWLEDGED_PER_S_MIN * arguments.seconds:
        yield f'only {run.recorder.acknowledged} operations were acknowledged'


def judge(program, path):
    """What is wrong with the records; its own lines are shown."""
    try:
        ended = subprocess.run([program, path], stdin=subprocess.DEVNULL, capture_output=True,
                               text=True, timeout=JUDGE_S)
    except subprocess.TimeoutExpired:
        return [f'{JUDGE} did not come to an end within {JUDGE_S} s']
    for line in ended.stdout.splitlines()[-60:]:
        say(f'  {line}')
    if ended.returncode == 0:
        return []
    return [f'{JUDGE} found violations' if ended.returncode == 1 else
            f'{JUDGE} ended with {ended.returncode}: {ended.stderr.strip()[:300]}']


async def drive(run, arguments):
    time_max_s = arguments.seconds + EXTRA_S + arguments.leader_kills * LEADER_KILL_S
    task = asyncio.ensure_future(run.run())
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        await asyncio.wait_for(task, time_max_s)
    except asyncio.TimeoutError:
        raise DemoError(f'not finished within {time_max_s:.0f} s') from None
    except asyncio.CancelledError:
        raise Interrupted() from None
    finally:
        await run.close()


def run_and_judge(run, arguments, judge_program):
    problems = []
    try:
        asyncio.run(drive(run, arguments))
    except DemoError as error:
        problems.append(str(error))
    finally:
        problems += stop_all(run.nodes)
    print_table(table(run, arguments))
    if run.disk_problem:
        say(f'skipped: disk full: {run.disk_problem}')
    return problems + judge(judge_program, run.recorder.path) + list(
        coverage_problems(run, arguments))


def parse():
    parser = argparse.ArgumentParser(prog='tools/chaos', description='Real processes under faults,'
                                     ' judged by what their clients saw.')
    parser.add_argument('--seconds', type=int, default=60, help='length of the phase with faults')
    parser.add_argument('--seed', type=int, default=random.randrange(1 << 31),
                        help='of the faults and of the clients (default: by chance)')
    parser.add_argument('--nodes', type=int, choices=(3, 5), default=3)
    parser.add_argument('--leader-kills', type=int, default=0, metavar='N',
                        help='afterwards kill N leaders and measure how long nobody answers')
    parser.add_argument('--election-timeout-ms', type=int, default=300, metavar='T')
    parser.add_argument('--program', help=f'a built {SERVER}, instead of building it')
    parser.add_argument('--judge', help=f'a built {JUDGE}, instead of building it')
    parser.add_argument('--jobs', type=int, default=jobs_default(), help='compilers at a time')
    return parser.parse_args()


def main():
    arguments = parse()
    try:
        program = from_caller(arguments.program) or build_program(SERVER, arguments.jobs)
        judge_program = from_caller(arguments.judge) or build_program(JUDGE, arguments.jobs)
        os.makedirs('build', exist_ok=True)
        folder = tempfile.mkdtemp(prefix='chaos-', dir='build')
    except (DemoError, OSError) as error:
        print(f'tools/chaos: {error}', file=sys.stderr)
        return 1
    say(f'seed {arguments.seed}')
    started_s = time.monotonic()
    run = ChaosRun(program, folder, arguments)
    try:
        problems = run_and_judge(run, arguments, judge_program)
    except Interrupted:
        say('interrupted')
        return 130
    finally:
        if run.disk is not None:
            run.disk.close()
    say(f'took {time.monotonic() - started_s:.1f} s')
    for problem in problems[:20]:
        print(f'tools/chaos: {problem}', file=sys.stderr)
    if problems:
        print(f'tools/chaos: records, data and logs are kept in {folder}', file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    recorder = run.recorder
    say(f'chaos: operations={recorder.operations} acknowledged={recorder.acknowledged}'
        f' unknown={recorder.unknown} faults={sum(run.faults.fired.values())}'
        f' violations={len(problems)}')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
