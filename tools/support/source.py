# What tidy knows about a C++ file without being a compiler: its text without comments and literals,
# its includes, and where its functions begin and end.
import re
from dataclasses import dataclass

_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/'
    r'|(?:u8|[uUL])?R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)
_SCOPE = re.compile(r'\b(namespace|class|struct|union|enum)\b(?!.*\()|\bextern\s*$', re.DOTALL)
_SPLICE = re.compile(r'\\\n')


@dataclass(frozen=True)
class Function:
    name: str
    first_line: int
    last_line: int

    @property
    def length(self):
        return self.last_line - self.first_line + 1


def blank(text):
    """The text with the same number of characters and lines, but spaces for what is blanked."""
    return re.sub(r'[^\n]', ' ', text)


def strip_comments_and_literals(text):
    """Keeps every line and column; a literal keeps its quotes."""
    def replace(match):
        found = match.group(0)
        if found.startswith('/'):
            return blank(found)
        return found[0] + blank(found[1:-1]) + found[-1]
    return _TOKENS.sub(replace, text)


def includes(text):
    """(line, path, is_quoted) of every include, also of those that an #if leaves out."""
    without_comments = re.sub(r'//[^\n]*|/\*.*?\*/', lambda m: blank(m.group(0)), text,
                              flags=re.DOTALL)
    for match in _INCLUDE.finditer(without_comments):
        yield line_of(text, match.start()), match.group(2), match.group(1) == '"'


def line_of(text, offset):
    return text.count('\n', 0, offset) + 1


def without_preprocessor(code):
    lines, continued = [], False
    for line in code.split('\n'):
        directive = continued or line.lstrip().startswith('#')
        continued = directive and line.endswith('\\')
        lines.append(blank(line) if directive else line)
    return '\n'.join(lines)


def matching_brace(code, start):
    depth = 0
    for match in re.compile(r'[{}]').finditer(code, start):
        depth += 1 if match.group() == '{' else -1
        if depth == 0:
            return match.start()
    return len(code) - 1


def _is_function_head(head):
    if '(' not in head or _SCOPE.search(head):
        return False
    before_call = head.split('(', 1)[0]
    return 'operator' in before_call or '=' not in re.sub(r'<[^<>]*>', '', before_call)


def functions(code):
    """Every function with a body at namespace or class scope; `code` is stripped of comments."""
    code = without_preprocessor(code)
    head_start, position = 0, 0
    finder = re.compile(r'[{};]|\b(?:public|private|protected)\s*:')
    while match := finder.search(code, position):
        position = match.end()
        if match.group() != '{':
            head_start = position
            continue
        head = code[head_start:match.start()]
        if _SCOPE.search(head):
            head_start = position
            continue
        end = matching_brace(code, match.start())
        position = end + 1
        if not _is_function_head(head):
            continue  # an initialiser: its statement goes on to the semicolon
        if re.match(r'\s*(,|\{|\.\.\.)', code[position:position + 200]):
            continue  # a member initialiser with braces: the body is still to come
        first = head_start + len(head) - len(head.lstrip())
        name = re.search(r'([~\w:]+|operator\s*\S+)\s*\(', head)
        yield Function(name.group(1) if name else '?', line_of(code, first), line_of(code, end))
        head_start = position


_LAMBDA = re.compile(r'\[[^\[\]\n]+\]\s*(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*'
                     r'(?:mutable\b|noexcept\b|->\s*[\w:<>,\s*&]+?|\s)*\{')


def capturing_lambda_coroutines(code):
    """Lines where a lambda with a capture is itself a coroutine."""
    for match in _LAMBDA.finditer(code):
        body = code[match.end():matching_brace(code, match.end() - 1)]
        while inner := re.search(r'\[[^\[\]\n]*\]\s*(?:\([^()]*\))?[^;{}()]*\{', body):
            end = matching_brace(body, inner.end() - 1)
            body = body[:inner.start()] + body[end + 1:]
        if re.search(r'\bco_(await|return|yield)\b', body):
            yield line_of(code, match.start())


def braced_await_arguments(code):
    """Lines of `co_await` statements with a braced temporary among the arguments."""
    for match in re.finditer(r'\bco_await\b[^;{}]*[(,]\s*(?:[\w:]+(?:<[^<>;]*>)?\s*)?\{', code):
        if not re.search(r'\]\s*(\([^()]*\))?[^()]*\{$', match.group()):
            yield line_of(code, match.start())
