"""Follow the tutorial as a new user does, and write what happens to docs/first-session.txt.

    python -m docs.tools.first_session     # of the last commit; fetches packages and the model

Every command of the tutorial runs in its order, in a clone of the repository, with an empty home: no cache, no
settings, no Python package but pipx. Versions are those of constraints.txt. Nothing is prepared or left out, and a
command that fails ends it.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from docs.tools.blocks import PROMPT, ROOT, commands_of, read_blocks
from docs.tools.outputs import COLUMNS, run_command

RECORD = ROOT / "docs" / "first-session.txt"
LINES = 60  # of one command's output
STYLE = re.compile("\x1b\\[[0-9;]*m")  # pipx writes bold, whatever NO_COLOR says


def variables(home: Path) -> dict[str, str]:
    """Return the environment of somebody who has pipx, and settings of pip and of the network."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(("PIP_", "SSL_")) or "proxy" in name.lower()
    }
    path = f"{home}/.local/bin:{home}/pipx/bin:/usr/local/bin:/usr/bin:/bin"
    return kept | {
        "HOME": str(home),
        "PATH": path,
        "PIPX_DEFAULT_PYTHON": sys.executable,
        "COLUMNS": str(COLUMNS),
        "NO_COLOR": "1",
        "TERM": "dumb",
        "LANG": "C.UTF-8",
    }


def session(home: Path) -> list[str]:
    """Return the commands of the tutorial with what they say and print, and how long they took."""
    environment = variables(home)
    subprocess.run([sys.executable, "-m", "venv", home / "pipx"], check=True)
    subprocess.run([home / "pipx" / "bin" / "pip", "install", "-q", "pipx"], check=True)
    clone = home / "inbedder"
    environment["PIP_CONSTRAINT"] = str(clone / "constraints.txt")
    subprocess.run(["git", "clone", "-q", ROOT, clone], check=True)
    commit = subprocess.run(
        ["git", "-C", clone, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True
    ).stdout.strip()
    lines = [
        f"The commands of docs/tutorial.md, in a clone of {commit}, with an empty home and the versions of",
        f"constraints.txt; {datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {platform.system()}.",
        "",
    ]
    for block in read_blocks((clone / "docs" / "tutorial.md").read_text(encoding="utf-8")):
        for command in commands_of(block):
            start = time.perf_counter()
            code, said, printed = run_command(command, clone, environment)
            seconds = time.perf_counter() - start
            shown = STYLE.sub("", said + printed).replace(str(home), "~").splitlines()
            more = [f"  … ({len(shown) - LINES} more lines)"] * (len(shown) > LINES)
            lines += [
                f"{PROMPT}{command}",
                *(line.rstrip() for line in shown[:LINES]),
                *more,
                f"({seconds:.0f} s)",
                "",
            ]
            print(f"{command}: {code}, {seconds:.0f} s", file=sys.stderr)
            if code:
                raise SystemExit("\n".join(lines))
    return lines


def main() -> None:
    """Write the record."""
    with tempfile.TemporaryDirectory() as name:
        lines = session(Path(name).resolve())
    RECORD.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
