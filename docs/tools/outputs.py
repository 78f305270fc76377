"""Write, or check, what the commands and the Python of README and docs print.

    python -m docs.tools.outputs [--check] [PAGE...]     # with the bundled encoder; make docs-outputs

Each page is one session in a folder of its own (`sandbox`). Commands run in a terminal of 80 columns, with the
bundled encoder in float32 on a CPU, which gives the same clusters on every machine.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING

from docs.tools.blocks import PAGES, PROMPT, ROOT, Block, read_blocks, split_session
from docs.tools.sandbox import prepare
from inbedder_cli.paths import models_dir

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COLUMNS = 80
ENVIRONMENT = {
    "COLUMNS": str(COLUMNS),
    "TERM": "dumb",
    "NO_COLOR": "1",
    "INBEDDER_DTYPE": "float32",
    "INBEDDER_DEVICE": "cpu",
    "PYTHONPATH": str(ROOT),
}
PROGRESS = re.compile(r".*: \d+ %.* left\n")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
# What differs from machine to machine: durations, rates, sizes, dates and temporary folders.
MACHINE = re.compile(r"[\d.,]+ ?(?:s|ms|min|h|[kMG]B|rows/s|days)\b|\d{4}-\d\d-\d\d|/tmp/[\w./-]+")
TOLERANCE = 0.02  # of numbers: absolute, and relative
SESSION = """
import contextlib, io, json, sys
from inbedder_cli import InBedder
InBedder.__init__.__kwdefaults__ |= {"dtype": "float32", "device": "cpu"}
session = {"__name__": "docs"}
printed = []
for code in json.load(sys.stdin):
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        exec(compile(code, "block", "exec"), session)
    printed.append(stream.getvalue())
print(json.dumps(printed))
"""


def has_outputs(text: str) -> bool:
    """Return whether a page shows what commands print.

    :param text: the page.
    """
    return any(block.language in ("console", "output") for block in read_blocks(text))


def with_outputs(text: str) -> str:
    """Return a page with the outputs that its commands have now.

    :param text: the page.
    """
    blocks = read_blocks(text)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        replaced = {block.start: _session(block, folder) for block in blocks if block.language == "console"}
        if any(block.language == "output" for block in blocks):
            code = [block.code for block in blocks if block.language == "python"]
            outputs = iter(_python(code, folder))
            for block, following in zip(blocks, [*blocks[1:], None], strict=True):
                printed = next(outputs) if block.language == "python" else ""
                if following is not None and following.language == "output" and block.language == "python":
                    replaced[following.start] = _shorten(printed, following)
    for block in reversed(blocks):
        if block.start in replaced:
            text = text[: block.start] + replaced[block.start] + text[block.end :]
    return text


def _session(block: Block, folder: Path) -> str:
    lines = []
    for command, _ in split_session(block.code):
        printed = _run(command, folder, with_messages="stderr" in block.options)
        lines.append(f"{PROMPT}{command}\n{_shorten(printed, block)}")
    return "".join(lines)


def _run(command: str, folder: Path, *, with_messages: bool) -> str:
    environment = os.environ | ENVIRONMENT | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if "--dry-run" in command:
        with _without_cached_rows() as cache:
            code, said, printed = run_command(command, folder, environment | {"INBEDDER_CACHE": cache})
    else:
        code, said, printed = run_command(command, folder, environment)
    if code and not with_messages:
        raise SystemExit(f"{command}\nended with exit code {code}:\n{said}")
    shown = (said if with_messages else "") + printed
    return "".join(f"{line.rstrip()}\n" for line in shown.replace(str(folder), "~").splitlines())


@contextmanager
def _without_cached_rows() -> Iterator[str]:
    """Yield a cache folder with the models alone: a dry run is shown as a new user sees it."""
    with tempfile.TemporaryDirectory() as cache:
        models = models_dir()
        models.mkdir(parents=True, exist_ok=True)
        (Path(cache) / models.name).symlink_to(models.absolute())
        yield cache


def run_command(command: str, folder: Path, environment: Mapping[str, str]) -> tuple[int, str, str]:
    """Run a command whose standard output is a terminal.

    :param command: for bash.
    :param folder: where it runs.
    :param environment: its variables.
    :return: exit code, messages without progress, and output.
    """
    terminal, child = pty.openpty()
    with tempfile.TemporaryFile() as messages:
        streams = {"stdin": subprocess.DEVNULL, "stdout": child, "stderr": messages}
        process = subprocess.Popen(["bash", "-c", command], cwd=folder, env=environment, **streams)
        os.close(child)
        printed = b""
        while chunk := _read(terminal):
            printed += chunk
        os.close(terminal)
        code = process.wait()
        messages.seek(0)
        said = PROGRESS.sub("", messages.read().decode())
    return code, said, printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux reports the end of a terminal so
        return b""


def _python(blocks: list[str], folder: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        input=json.dumps(blocks),
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | ENVIRONMENT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return list(json.loads(done.stdout.splitlines()[-1]))


def _shorten(printed: str, block: Block) -> str:
    """Return the output without the lines and paragraphs that a block leaves out."""
    if "lines" in block.options:
        return "".join(printed.splitlines(keepends=True)[: int(block.options["lines"])])
    if "keep" not in block.options:
        return printed
    first, _, last = block.options["keep"].partition("+")
    paragraphs = printed.rstrip("\n").split("\n\n")
    if len(paragraphs) <= int(first) + int(last or 0):
        return printed
    kept = [*paragraphs[: int(first)], "  …", *paragraphs[len(paragraphs) - int(last or 0) :]]
    return "\n\n".join(kept) + "\n"


def differences(old: str, new: str) -> list[str]:
    """Return the lines of a page that another machine prints in another way, beyond rounding.

    :param old: the page as it is.
    :param new: the page as it would be written now.
    """
    before, after = old.splitlines(), new.splitlines()
    if len(before) != len(after):
        changed = [line for line in after if line not in before] or [line for line in before if line not in after]
        return changed or ["the number of lines"]
    return [b for a, b in zip(before, after, strict=True) if not _alike(a, b)]


def share_alike(old: str, new: str) -> float:
    """Return the share of a page's lines that this machine prints too, numbers aside.

    Rounding differs between processors, and may move a row to another cluster.

    :param old: the page as it is.
    :param new: the page as it would be written now.
    """
    before, after = (
        [NUMBER.sub("#", MACHINE.sub("@", " ".join(line.split()))) for line in text.splitlines()]
        for text in (old, new)
    )
    return SequenceMatcher(None, before, after, autojunk=False).ratio()


def _alike(old: str, new: str) -> bool:
    old, new = (MACHINE.sub("@", " ".join(line.split())) for line in (old, new))
    if NUMBER.sub("#", old) != NUMBER.sub("#", new):
        return False
    pairs = zip(NUMBER.findall(old), NUMBER.findall(new), strict=True)
    return all(a == b or _close(a, b) for a, b in pairs)


def _close(old: str, new: str) -> bool:
    try:
        a, b = float(old.replace(",", "")), float(new.replace(",", ""))
    except ValueError:
        return False
    return abs(a - b) <= TOLERANCE * max(1.0, abs(a))


def main() -> None:
    """Write the outputs of all pages, or of those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a page is out of date")
    options = parser.parse_args()
    stale = 0
    for page in options.pages:
        text = page.read_text(encoding="utf-8")
        if not has_outputs(text):
            continue
        new = with_outputs(text)
        changed = differences(text, new)
        stale += bool(changed)
        print(f"{page}: {len(changed)} lines differ" if changed else f"{page}: as it is", file=sys.stderr)
        if options.check:
            print("\n".join(changed))
        elif changed:
            page.write_text(new, encoding="utf-8")
    if options.check and stale:
        raise SystemExit("run: make docs-outputs")


if __name__ == "__main__":
    main()
