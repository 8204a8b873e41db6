# What the soak remembers: the ledger in docs/soak.md, which is committed, and beside it the slices
# that have not come into it yet. A part's numbers only grow, so a slice is never counted twice.
import json
import os
import re
from dataclasses import asdict, dataclass, fields

BEGIN, END = '<!-- soak: begin -->', '<!-- soak: end -->'
COLUMNS = ('commit', 'code', 'date', 'part', 'options', 'seeds', 'count', 'virtual hours',
           'wall hours', 'faults', 'operations', 'violations', 'stuck', 'replay')
TOO_FEW = 'too few faults: '


class LedgerError(Exception):
    """The ledger or the state cannot be read; nothing was changed."""


@dataclass
class Tally:
    """What some slices came to. Their numbers are seeds where there are seeds."""
    first: int
    last: int
    count: int
    virtual_hours: float = 0.0
    wall_hours: float = 0.0
    faults: int = 0
    operations: int = 0
    violations: int = 0
    stuck: int = 0
    replay: str = ''  # the first failure of them, as a line to type; what proved too little says so

    @property
    def is_good(self):
        return not self.violations and not self.stuck and not self.replay

    @property
    def proved_too_little(self):
        """Nothing was found, and not everything was looked at."""
        return self.replay.startswith(TOO_FEW)

    def add(self, other):
        for field in ('count', 'virtual_hours', 'wall_hours', 'faults', 'operations', 'violations',
                      'stuck'):
            setattr(self, field, getattr(self, field) + getattr(other, field))
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        if not self.replay or self.proved_too_little and not other.proved_too_little:
            self.replay = other.replay or self.replay


@dataclass
class Row:
    commit: str
    code: str  # the last change of what ships
    date: str
    part: str
    options: str
    tally: Tally

    @property
    def key(self):
        return self.commit, self.part, self.options

    def text(self):
        def loud(number):
            return f'**{number:,}**' if number else '0'
        tally = self.tally
        replay = '`' + re.sub(r'[|`\s]+', ' ', tally.replay) + '`' if tally.replay else ''
        cells = (self.commit, self.code, self.date, self.part, self.options,
                 f'{tally.first}..{tally.last}', f'{tally.count:,}', f'{tally.virtual_hours:,.2f}',
                 f'{tally.wall_hours:,.2f}', f'{tally.faults:,}', f'{tally.operations:,}',
                 loud(tally.violations), loud(tally.stuck), replay)
        return '| ' + ' | '.join(cells) + ' |'


def parse_row(line):
    cells = [cell.strip() for cell in line.strip().strip('|').split('|')]
    try:
        commit, code, date, part, options, seeds, *numbers, replay = cells
        first, last = (int(seed) for seed in seeds.split('..'))
        count, virtual, wall, *counts = (number.strip('*').replace(',', '') for number in numbers)
        faults, operations, violations, stuck = map(int, counts)
        return Row(commit, code, date, part, options,
                   Tally(first, last, int(count), float(virtual), float(wall), faults, operations,
                         violations, stuck, replay.strip('`')))
    except ValueError:
        raise LedgerError(f'not a row of the ledger: {line}') from None


def replace_file(path, text):
    """Whole or not at all, whenever the process ends."""
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path + '.new', 'w') as stream:
        stream.write(text)
    os.replace(path + '.new', path)


class Ledger:
    """The table between two marks of a page."""

    def __init__(self, path):
        self.path = path
        with open(path) as stream:
            text = stream.read()
        found = re.search(f'{re.escape(BEGIN)}\n(.*?){re.escape(END)}', text, re.DOTALL)
        if found is None:
            raise LedgerError(f'{path} has no table between {BEGIN} and {END}')
        self._before, self._after = text[:found.start()], text[found.end():]
        lines = [line for line in found.group(1).splitlines() if line.startswith('|')]
        self.rows = [parse_row(line) for line in lines[2:]]  # below the two lines of the head

    def merge(self, row):
        """Adds a row to the one of its commit, part and options; does nothing when it is in it."""
        for known in self.rows:
            if known.key != row.key:
                continue
            if row.tally.first <= known.tally.last:
                if row.tally.last > known.tally.last:
                    raise LedgerError(f'{row.part} {row.tally.first}..{row.tally.last} of'
                                      f' {row.commit} is in the ledger by half')
                return
            known.tally.add(row.tally)
            known.date = row.date
            return
        self.rows.append(row)

    def next_number(self, part):
        return max((row.tally.last for row in self.rows if row.part == part), default=0) + 1

    def totals(self, code):
        """What one state of the shipped code has been through: {(part, options): Tally}."""
        totals = {}
        for row in self.rows:
            if row.code == code:
                what = row.part, row.options
                if what in totals:
                    totals[what].add(row.tally)
                else:
                    totals[what] = Tally(**asdict(row.tally))
        return totals

    def write(self):
        head = ['| ' + ' | '.join(COLUMNS) + ' |', '|' + '---|' * len(COLUMNS)]
        table = '\n'.join(head + [row.text() for row in self.rows])
        replace_file(self.path, f'{self._before}{BEGIN}\n{table}\n{END}{self._after}')


class State:
    """The slices that are not in the ledger, and where each part goes on; written after each."""

    def __init__(self, path):
        self.path = path
        self.pending = []
        self._next = {}
        if not os.path.exists(path):
            return
        try:
            with open(path) as stream:
                known = json.load(stream)
            self._next = dict(known['next'])
            for row in known['pending']:
                self.pending.append(Row(**{**row, 'tally': Tally(**row['tally'])}))
        except (ValueError, KeyError, TypeError) as problem:
            raise LedgerError(f'{path}: {problem!r}') from None

    def next_number(self, part, ledger):
        return max(self._next.get(part, 1), ledger.next_number(part))

    def record(self, row):
        for known in self.pending:
            if (known.key, known.code) == (row.key, row.code):
                known.tally.add(row.tally)
                known.date = row.date
                break
        else:
            self.pending.append(row)
        self._next[row.part] = row.tally.last + 1
        self._write()

    def settle(self, ledger):
        """Moves everything into the ledger. Between the two writes a slice is in both, which
        `merge` notices."""
        if not self.pending:
            return
        for row in self.pending:
            ledger.merge(row)
        ledger.write()
        self.pending = []
        self._write()

    def _write(self):
        rows = [{field.name: getattr(row, field.name) for field in fields(row)} for row in
                self.pending]
        for row in rows:
            row['tally'] = asdict(row['tally'])
        replace_file(self.path, json.dumps({'next': self._next, 'pending': rows}, indent=1) + '\n')
