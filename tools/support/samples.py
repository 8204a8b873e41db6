# The proof of tidy: for every rule small trees that it must refuse, at the line that it must name,
# and look-alikes that it must accept.
from support import rules

_HEAD = '// Why.\n'
_HPP = '// Why.\n#pragma once\n'
_BUILD = {'lib/raft/meson.build': "files('a.cpp')\n", 'lib/runtime/meson.build': "files('a.cpp')\n",
          'test/meson.build': "files('a.cpp')\n", 'lib/manager/meson.build': "files('a.cpp')\n"}


def _long_function(lines, head='void F() {'):
    return head + '\n' + '  Work();\n' * (lines - 2) + '}\n'


# rule -> [(files, (path, line))]: the problem that must be found.
BAD = {
    rules.arrows: [
        ({'lib/raft/a.cpp': _HEAD + '#include "runtime/b.hpp"\n', 'lib/runtime/b.hpp': _HPP},
         ('lib/raft/a.cpp', 2)),
        ({'lib/runtime/a.cpp': _HEAD + '\n#include "../cluster/b.hpp"\n',
          'lib/cluster/b.hpp': _HPP}, ('lib/runtime/a.cpp', 3)),
        ({'lib/codec/a.hpp': _HPP + '#include "raft/b.hpp"\n', 'lib/raft/b.hpp': _HPP},
         ('lib/codec/a.hpp', 3)),
        ({'transports/tcp/a.hpp': _HPP + '#include "raft/b.hpp"\n', 'lib/raft/b.hpp': _HPP},
         ('transports/tcp/a.hpp', 3)),
        ({'discovery/multicast/a.hpp': _HPP + '#include "tcp/b.hpp"\n',
          'transports/tcp/b.hpp': _HPP}, ('discovery/multicast/a.hpp', 3)),
        ({'storage/sqlite/a.hpp': _HPP + '#include "rocksdb/b.hpp"\n',
          'storage/rocksdb/b.hpp': _HPP}, ('storage/sqlite/a.hpp', 3)),
        ({'examples/01/a.cpp': _HEAD + '#include "raft/b.hpp"\n', 'lib/raft/b.hpp': _HPP},
         ('examples/01/a.cpp', 2)),
        ({'include/kommander/a.hpp': _HPP + '#include "raft/b.hpp"\n', 'lib/raft/b.hpp': _HPP},
         ('include/kommander/a.hpp', 3)),
    ],
    rules.pure_core: [
        ({'lib/raft/a.cpp': _HEAD + '#include <boost/asio/post.hpp>\n'}, ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': _HEAD + '#include <kommander/b.hpp>\n',
          'include/kommander/b.hpp': _HPP + '#include <boost/system/error_code.hpp>\n'},
         ('lib/raft/a.cpp', 1)),
    ],
    rules.banned_names: [
        ({'lib/runtime/a.cpp': _HEAD + 'asio::steady_timer t;\n'}, ('lib/runtime/a.cpp', 2)),
        ({'lib/runtime/a.cpp': _HEAD + 'auto t = std::chrono::steady_clock::now();\n'},
         ('lib/runtime/a.cpp', 2)),
        ({'lib/runtime/a.cpp': _HEAD + 'std::chrono::system_clock c;\n'}, ('lib/runtime/a.cpp', 2)),
        ({'lib/runtime/a.cpp': _HEAD + '/* why */ std::thread t;\n'}, ('lib/runtime/a.cpp', 2)),
        ({'storage/rocksdb/a.cpp': _HEAD + 'std::jthread t;\n'}, ('storage/rocksdb/a.cpp', 2)),
        ({'include/kommander/a.hpp': _HEAD + 'std::random_device r;\n'},
         ('include/kommander/a.hpp', 2)),
        ({'lib/manager/a.cpp': _HEAD + 'asio::io_context c;\n'}, ('lib/manager/a.cpp', 2)),
        ({'lib/manager/a.cpp': _HEAD + '::usleep(1);\n'}, ('lib/manager/a.cpp', 2)),
        ({'test/unit/a.cpp': _HEAD + 'std::this_thread::sleep_for(1s);\n'}, ('test/unit/a.cpp', 2)),
        ({'transports/tcp/a.hpp': _HEAD + 'std::mutex m;\n'}, ('transports/tcp/a.hpp', 2)),
        ({'discovery/a.cpp': _HEAD + 'std::thread t;\n'}, ('discovery/a.cpp', 2)),
        ({'storage/a.cpp': _HEAD + 'const std::lock_guard lock(m);\n'}, ('storage/a.cpp', 2)),
        ({'test/unit/a.cpp': _HEAD + 'sleep(1);\n'}, ('test/unit/a.cpp', 2)),
        ({'test/a.py': '# Why.\nimport time\ntime.sleep(1)\n'}, ('test/a.py', 3)),
        ({'lib/raft/a.cpp': _HEAD + 'void F() { throw 1; }\n'}, ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': _HEAD + 'std::mutex m;\n'}, ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': _HEAD + '#include <mutex>\n'}, ('lib/raft/a.cpp', 2)),
        ({'lib/runtime/a.cpp': _HEAD + 'void F() { std::abort(); }\n'}, ('lib/runtime/a.cpp', 2)),
        ({'lib/runtime/a.cpp': _HEAD + '#include <boost/asio.hpp>\n'}, ('lib/runtime/a.cpp', 2)),
        ({'include/kommander/a.hpp': _HEAD + 'rocksdb::DB* db;\n'}, ('include/kommander/a.hpp', 2)),
        ({'include/kommander/a.hpp': _HEAD + '#include <rocksdb/db.h>\n'},
         ('include/kommander/a.hpp', 2)),
        ({'include/kommander/a.hpp': _HEAD + '#include <boost/json/value.hpp>\n'},
         ('include/kommander/a.hpp', 2)),
        ({'include/kommander/a.hpp': _HEAD + 'asio::any_completion_handler<void()> h;\n'},
         ('include/kommander/a.hpp', 2)),
    ],
    rules.columns: [
        ({'lib/raft/a.cpp': '// ' + 'x' * 98 + '\n'}, ('lib/raft/a.cpp', 1)),
        ({'tools/a.sh': '#!/usr/bin/env bash\n# ' + 'x' * 99 + '\n'}, ('tools/a.sh', 2)),
    ],
    rules.function_length: [
        ({'lib/raft/a.cpp': _HEAD + _long_function(71)}, ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': _HEAD + 'namespace a {\nclass B {\n public:\n  int c = 0;\n'
          + _long_function(71, 'int F(int x) const noexcept {') + '};\n}\n'},
         ('lib/raft/a.cpp', 6)),
        ({'lib/raft/a.cpp': _HEAD + _long_function(71, 'A::A(int x) : x_{x}, y_(x) {')},
         ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': _HEAD + _long_function(71, 'bool A::operator==(const A& o) const {')},
         ('lib/raft/a.cpp', 2)),
        ({'test/a.cpp': _HEAD + _long_function(71, 'TEST_CASE("one {") {')}, ('test/a.cpp', 2)),
        ({'tools/a.py': '# Why.\ndef f():\n' + '    g()\n' * 70}, ('tools/a.py', 2)),
    ],
    rules.file_length: [({'lib/raft/a.cpp': _HEAD * 601}, ('lib/raft/a.cpp', 1))],
    rules.opening_comment: [
        ({'lib/raft/a.cpp': '#include <vector>\n'}, ('lib/raft/a.cpp', 1)),
        ({'lib/raft/a.hpp': '#pragma once\n', 'lib/raft/a.cpp': '#include "raft/a.hpp"\n'},
         ('lib/raft/a.hpp', 1)),
        ({'tools/a.py': 'import os\n'}, ('tools/a.py', 1)),
        ({'tools/a.sh': '#!/usr/bin/env bash\nset -e\n'}, ('tools/a.sh', 1)),
    ],
    rules.header_guard: [({'lib/raft/a.hpp': '// #pragma once\n'}, ('lib/raft/a.hpp', 1))],
    rules.leftovers: [({'docs/a.md': '# A\n\nTO' 'DO: say it\n'}, ('docs/a.md', 3))],
    rules.whitespace: [
        ({'lib/raft/a.cpp': '// Why. \n'}, ('lib/raft/a.cpp', 1)),
        ({'lib/raft/a.cpp': '// Why.\n\tint x;\n'}, ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': '// Why.'}, ('lib/raft/a.cpp', 1)),
    ],
    rules.coroutine_traps: [
        ({'test/a.cpp': _HEAD + 'auto f = [&x]() -> awaitable<void> {\n  co_await g(x);\n};\n'},
         ('test/a.cpp', 2)),
        ({'test/a.cpp': _HEAD + 'auto f = [this] { co_return; };\n'}, ('test/a.cpp', 2)),
        ({'test/a.cpp': _HEAD + 'void F() {\n  co_await g(Options{1, "x"});\n}\n'},
         ('test/a.cpp', 3)),
        ({'test/a.cpp': _HEAD + 'void F() {\n  auto r = co_await g(1, {"x", "y"});\n}\n'},
         ('test/a.cpp', 3)),
    ],
    rules.dead_files: [({'lib/raft/b.cpp': _HEAD, **_BUILD}, ('lib/raft/b.cpp', 1))],
    rules.mutants: [
        ({'lib/raft/a.cpp': _HEAD + 'if (KOMMANDER_MUTANT(b)) return;\n',
          'lib/mutants/list.inc': ''}, ('lib/raft/a.cpp', 2)),
        ({'lib/raft/a.cpp': _HEAD, 'lib/mutants/list.inc': '// Why.\nX(b, "c", "d", "e")\n'},
         ('lib/mutants/list.inc', 2)),
        ({'test/a.cpp': _HEAD + 'if (KOMMANDER_MUTANT(b)) return;\n',
          'lib/mutants/list.inc': 'X(b, "c", "d", "e")\n'}, ('test/a.cpp', 2)),
    ],
    rules.quoted_sources: [
        ({'README.md': '# A\n`examples/a.cpp`:\n```cpp\nint b;\n```\n',
          'examples/a.cpp': 'int a;\n'}, ('README.md', 2)),
        ({'README.md': '# A\n`examples/b.cpp`:\n```cpp\nint b;\n```\n'}, ('README.md', 2)),
    ],
    rules.quoted_recipes: [
        ({'docs/recipes/01_a.md': '# A\n\n```cpp\nint b;\n```\n',
          'examples/01_a/main.cpp': _HEAD + 'int a;\n'}, ('docs/recipes/01_a.md', 3)),
        ({'docs/recipes/01_a.md': '# A\n```cpp\nint b;\n```\n\n```cpp\nb;\n```\n',
          'examples/01_a/main.cpp': _HEAD + 'int b;\n'}, ('docs/recipes/01_a.md', 6)),
        ({'docs/recipes/01_a.md': '# A\n```cpp\nint b;\n```\n',
          'examples/02_b/main.cpp': _HEAD + 'int b;\n'}, ('docs/recipes/01_a.md', 2)),
    ],
    rules.frozen: [
        ({'test/protocol/frozen_v1/frozen_v1.hpp': _HPP},
         ('test/protocol/frozen_v1/frozen_v1.hpp', 1)),
    ],
    rules.doc_links: [
        ({'docs/a.md': '# A\n\n[b](b.md)\n'}, ('docs/a.md', 3)),
        ({'docs/a.md': '# A\n[b](#the-b)\n'}, ('docs/a.md', 2)),
    ],
}

# Nothing may be found in these, by any rule.
GOOD = [
    {'lib/raft/a.cpp': _HEAD + 'if (KOMMANDER_MUTANT(b)) return;\n',
     'storage/rocksdb/a.cpp': _HEAD + 'if (KOMMANDER_MUTANT(c)) return;\n',
     'storage/rocksdb/meson.build': "files('a.cpp')\n",
     'lib/mutants/list.inc': 'X(b, "c", "d", "e")\nX(c, "c", "d", "e")\n', **_BUILD},
    {'lib/raft/a.cpp': _HEAD + '#include "raft/b.hpp"\n#include <kommander/c.hpp>\n',
     'lib/raft/b.hpp': _HPP, 'include/kommander/c.hpp': _HPP, **_BUILD},
    {'lib/manager/a.cpp': _HEAD + '#include "raft/b.hpp"\n#include "tcp/c.hpp"\n',
     'lib/raft/b.hpp': _HPP, 'transports/tcp/c.hpp': _HPP, **_BUILD},
    {'lib/runtime/a.cpp': _HEAD + '// no steady_timer here\nconst char* s = "std::thread";\n'
     'auto r = R"x(io_context " )x";\nint n = 1\'000\'000; char c = \'"\';\n', **_BUILD},
    {'lib/raft/a.cpp': '#include "raft/a.hpp"\n', 'lib/raft/a.hpp': _HPP, **_BUILD},
    {'lib/platform/a.hpp': _HPP + 'std::thread t; std::random_device r;\n'},
    {'lib/raft/a.cpp': _HEAD + _long_function(70) + _long_function(90, 'class A {')[:-2] + '};\n' +
      'constexpr A kTable[] = {\n' + '    {1, F(2)},\n' * 80 + '};\n', **_BUILD},
    {'test/a.cpp': _HEAD + 'auto f = [](int x) -> awaitable<void> {\n  co_await g(x);\n};\n'
     'auto h = [&x] { Spawn([](int y) -> awaitable<void> { co_await g(y); }); };\n'
     'void F() {\n  co_await g(Options(1, "x"));\n  co_await g([&](int y) { return y; });\n}\n',
     **_BUILD},
    {'docs/a.md': '# The A\n\n[b](b.md#one-two) [c](#the-a) [d](https://example.org)\n`[e](f)`\n',
     'docs/b.md': '# One two\n\n```\n[x](nowhere)\n```\n'},
    {'docs/recipes/01_a.md': '# A\n```cpp\nint a() {\n\n  b();\n```\n\n```\nnot C++\n```\n',
     'examples/01_a/main.cpp': _HEAD + 'class A {\n  int a() {\n\n    b();\n  }\n};\n',
     'examples/01_a/meson.build': "files('main.cpp')\n"},
    {'tools/a.sh': '#!/usr/bin/env bash\n# Why.\n', 'tools/b.py': '# Why.\ndef f():\n    pass\n'},
]


def _run(rule, files):
    return sorted(set(rule(rules.Tree(files))))


def self_test():
    cases, failures = 0, []
    for rule in rules.RULES:
        if rule not in BAD:
            failures.append(f'{rule.__name__} has no bad sample')
        for number, (files, (path, line)) in enumerate(BAD.get(rule, ()), 1):
            cases += 1
            found = [(problem.path, problem.line) for problem in _run(rule, files)]
            if found != [(path, line)]:
                failures.append(f'{rule.__name__}, bad sample {number}: expected {path}:{line},'
                                f' found {found}')
    for number, files in enumerate(GOOD, 1):
        for rule in rules.RULES:
            cases += 1
            failures += [f'good sample {number}: {problem}' for problem in _run(rule, files)]
    for failure in failures:
        print(failure)
    print(f'{cases - len(failures)} passed, {len(failures)} failed')
    return 1 if failures else 0
