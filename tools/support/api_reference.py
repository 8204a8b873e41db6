# What tools/api-reference does once Doxygen is there: runs it, and judges what it says.
import os
import re
import shutil
import subprocess
import sys

# Of members of a class, as docs/api/Doxyfile has it. Everything else that is said is a warning.
_LET_PASS = re.compile(r': Member .* of (?:class|struct) .* is not documented\.$')


def warnings(said):
    """The lines that are wrong, of what Doxygen said."""
    return [line for line in said.splitlines() if line.strip() and not _LET_PASS.search(line)]


def version():
    """The project's, out of meson.build."""
    with open('meson.build') as stream:
        return re.search(r"^  version: '([\d.]+)'", stream.read(), re.M)[1]


def main():
    folder = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else 'build/api')
    # What an older version wrote is not mixed with the new one.
    shutil.rmtree(os.path.join(folder, 'html'), ignore_errors=True)
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(['doxygen', 'docs/api/Doxyfile'], stdin=subprocess.DEVNULL, text=True,
                          capture_output=True, check=False,
                          env={**os.environ, 'KOMMANDER_VERSION': version(),
                               'KOMMANDER_API_OUTPUT': folder})
    found = warnings(done.stdout + done.stderr)
    for line in found:
        print(line)
    if found or done.returncode != 0:
        print(f'{len(found)} warnings, doxygen ended with {done.returncode}')
        return 1
    index = os.path.join(folder, 'html', 'index.html')
    if not os.path.exists(index) or not os.path.exists(os.path.join(
            folder, 'html', 'classkommander_1_1RaftManager.html')):
        print(f'{index}, or the page of RaftManager, was not written')
        return 1
    print(f'{index}: no warnings')
    return 0


if __name__ == '__main__':
    sys.exit(main())
