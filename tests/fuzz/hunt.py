"""Draw inputs with hypothesis, run them in the sandbox, and keep what breaks the law under .fuzz/."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.fuzz.cases import HEAVY, LIGHT, MADE, ROWS, SEEDS
from tests.fuzz.sandbox import ROOT, SECONDS, Sandbox
from tests.fuzz.targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fuzz.cases import Case

FOUND = ROOT / ".fuzz"
SLOW = ("hang", "memory")  # kinds that are not made smaller: each try would take as long


class Finding(AssertionError):
    """An input that breaks the law."""


@dataclass
class Report:
    """What a hunt found.

    :param runs: number of inputs by target.
    :param findings: folder of the smallest input, by target and kind.
    :param counts: number of inputs by target and kind.
    """

    runs: Counter[str] = field(default_factory=Counter)
    findings: dict[tuple[str, str], Path] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)


class Hunter:
    """Runs inputs of all targets, in a temporary folder, until it is closed.

    :param found: where inputs that break the law are kept.
    :param tell: is called with one line per new finding.
    """

    def __init__(self, found: Path = FOUND, tell: Callable[[str], object] = print) -> None:
        self.found, self.tell, self.report = found, tell, Report()
        self._temporary = tempfile.TemporaryDirectory(prefix="fuzz-")
        self._root = Path(self._temporary.name).resolve()
        self._sandboxes: dict[bool, Sandbox] = {}
        self._made: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for sandbox in self._sandboxes.values():
            sandbox.close()
        self._temporary.cleanup()

    def hunt(self, name: str, n: int, *, number: int = 0, through_command: bool = False) -> None:
        """Run up to n inputs of a target; one that breaks the law in a new way is made smaller and kept.

        :param name: of the target.
        :param n: number of inputs, besides those that make a finding smaller.
        :param number: seed of the drawing.
        :param through_command: run the command line, not the function.
        """
        hunted: str | None = None

        @seed(number)
        @settings(
            max_examples=n,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        @given(TARGETS[name].cases(self.made))
        def law(case: Case) -> None:
            nonlocal hunted
            outcome = self.run(name, case, through_command=through_command)
            kind = outcome["kind"]
            self.report.runs[name] += 1
            if kind is None:
                return
            self.report.counts[name, kind] += 1
            is_new = (name, kind) not in self.report.findings
            if is_new or kind == hunted:
                self.report.findings[name, kind] = self.keep(name, kind, outcome)
                if is_new:
                    self.tell(f"{name}: {kind}")
                if not kind.startswith(SLOW) and hunted in (None, kind):
                    hunted = kind
                    raise Finding(kind)

        try:
            law()
        except Finding:
            pass
        except BaseException as error:
            if "Finding" not in repr(error) and type(error).__name__ not in ("FlakyFailure", "Flaky"):
                raise

    def run(self, name: str, case: Case, *, through_command: bool) -> dict[str, Any]:
        """Run one input, and return its outcome; its folder stays until the next one.

        :param name: of the target.
        :param case: the input.
        :param through_command: run the command line, not the function.
        """
        target, folder = TARGETS[name], self._root / "case"
        self._clear(folder)
        for base in target.base:
            source = self.made / base / base if base in MADE else SEEDS / base
            if source.is_dir():
                shutil.copytree(source, folder / base)
            else:
                shutil.copy(source, folder / base)
        case.write(folder)
        is_command = through_command or target.call is None
        job = {"command": list(case.command)} if is_command else {"target": name, "options": dict(case.options)}
        outcome = self.sandbox(is_heavy=target.is_heavy or (is_command and "model" in case.command)).run(
            folder, **job
        )
        return outcome | {"job": job, "command": list(case.command), "folder": str(folder)}

    def again(self, folder: Path) -> dict[str, Any]:
        """Run an input that was kept, and return its outcome.

        :param folder: the folder in `found`.
        """
        finding = json.loads((folder / "finding.json").read_text())
        copy = self._root / "case"
        self._clear(copy)
        shutil.copytree(folder / "files", copy, symlinks=True, copy_function=_copy, dirs_exist_ok=True)
        return self.sandbox(is_heavy=TARGETS[finding["target"]].is_heavy).run(copy, **finding["job"])

    @property
    def made(self) -> Path:
        """The folder of what the program itself writes: a run, a cache, vectors."""
        if self._made is None:
            self._made = self._root / "made"
            for name, commands in MADE.items():
                folder = self._made / name
                folder.mkdir(parents=True)
                (folder / "rows.csv").write_bytes(ROWS)
                shutil.copy(SEEDS / "suite" / "examples.jsonl", folder)
                for command in commands:
                    outcome = self.sandbox(is_heavy=False).run(folder, command=command)
                    if outcome["kind"] is not None or outcome.get("exit"):
                        raise RuntimeError(f"{shlex.join(command)}: {outcome}")
        return self._made

    def sandbox(self, *, is_heavy: bool) -> Sandbox:
        """Return the process that runs inputs; it is started when it is first used.

        :param is_heavy: whether it has imported torch.
        """
        if is_heavy not in self._sandboxes:
            self._sandboxes[is_heavy] = Sandbox(*LIGHT, *(HEAVY if is_heavy else ()))
        return self._sandboxes[is_heavy]

    def _clear(self, folder: Path) -> None:
        for old in (folder, Path(f"{folder}.said")):
            shutil.rmtree(old, ignore_errors=True)
        folder.mkdir(parents=True)

    def keep(self, name: str, kind: str, outcome: dict[str, Any]) -> Path:
        """Keep the files of the last input, and return their folder.

        :param name: of the target.
        :param kind: of the finding.
        :param outcome: what `run` returned.
        """
        kept = self.found / f"{name}-{sha256(kind.encode()).hexdigest()[:8]}"
        shutil.rmtree(kept, ignore_errors=True)
        kept.mkdir(parents=True)
        files = Path(outcome["folder"])
        shutil.copytree(files, kept / "files", symlinks=True, copy_function=_copy)
        (kept / "finding.json").write_text(json.dumps({"target": name, **outcome}, indent=1))
        return kept


def _copy(source: str, target: str) -> None:
    """Copy a file of any kind."""
    path = Path(source)
    if path.is_fifo():
        os.mkfifo(target)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


def describe(kept: Path) -> str:
    """Return a finding, and the command that runs it again.

    :param kept: its folder.
    """
    finding = json.loads((kept / "finding.json").read_text())
    job = finding["job"]
    ran = f"{job['target']} {job['options']!a}; or: " if "target" in job else ""
    ran += f"inbedder {shlex.join(finding['command'])}"
    size = f"{finding['seconds']:.1f} s of {SECONDS:.0f}, {finding['bytes'] / 2**20:.0f} MB"
    again = f"python -m tests.fuzz --again {kept.relative_to(ROOT) if kept.is_relative_to(ROOT) else kept}"
    return f"{finding['target']}: {finding['kind']} ({size})\n  {ran}\n  {again}"
