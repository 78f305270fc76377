"""Fuzz the readers of files: python -m tests.fuzz [--minutes 10 | --inputs N | --through-command N] [TARGET...]"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

from tests.fuzz.hunt import Hunter, describe
from tests.fuzz.targets import TARGETS

BATCH = 100
TELL_SECONDS = 60.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"any of {', '.join(TARGETS)}; default: all")
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: 10)")
    parser.add_argument("--inputs", type=int, help="how many inputs, instead of how long")
    parser.add_argument(
        "--through-command", type=int, metavar="N", help="N inputs through the command line itself"
    )
    parser.add_argument("--seed", type=int, default=None, help="of the drawing; default: another one each time")
    parser.add_argument(
        "--again", type=Path, metavar="FOLDER", help="run one input that was kept, and show what it did"
    )
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(unknown)}")
    if options.again:
        return run_again(options.again)

    names = options.targets or list(TARGETS)
    weights = [TARGETS[name].weight for name in names]
    limit = options.through_command or options.inputs
    number = random.randrange(10**6) if options.seed is None else options.seed
    started = time.monotonic()
    draw = random.Random(number)
    with Hunter(tell=lambda line: print(line, flush=True)) as hunter:
        report = hunter.report
        told = 0.0
        while report.runs.total() < limit if limit else time.monotonic() - started < 60 * options.minutes:
            number += 1
            (name,) = draw.choices(names, weights)
            left = limit - report.runs.total() if limit else BATCH
            n = min(BATCH if not TARGETS[name].is_heavy else BATCH // 5, left)
            hunter.hunt(name, n, number=number, through_command=options.through_command is not None)
            if time.monotonic() - told > TELL_SECONDS:
                told = time.monotonic()
                hunter.tell(f"{report.runs.total():,} inputs, {len(report.findings)} kinds of findings")
    print(f"\n{report.runs.total():,} inputs in {time.monotonic() - started:.0f} s, seed {number}")
    for name in names:
        kinds = sum(1 for target, _ in report.findings if target == name)
        print(f"  {name:10} {report.runs[name]:7,} inputs {kinds:4} kinds of findings")
    for kept in report.findings.values():
        print(describe(kept))
    return 1 if report.findings else 0


def run_again(folder: Path) -> int:
    with Hunter() as hunter:
        outcome = hunter.again(folder)
    print(outcome["message"])
    print(describe(folder))
    print("now:", outcome["kind"] or f"within the law (exit code {outcome.get('exit')})")
    return 1 if outcome["kind"] else 0


if __name__ == "__main__":
    sys.exit(main())
