"""Parse names.txt of a saved run: the user's renames ("3 = late delivery") and merges ("5 -> 2")."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.errors import InputError
from inbedder_cli.explanation.summaries import NOISE_LABEL, UNANSWERED_LABEL
from inbedder_cli.untrusted import read_regular

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

NAMES = "names.txt"
MAX_BYTES = 10_000_000
SHOWN = 100  # characters of a line in a message
RESERVED = ("noise", "no-answer", NOISE_LABEL, UNANSWERED_LABEL)  # as a user names rows that are in no cluster
LINE = re.compile(r"(?:(?P<question>\w+)\s+)?(?P<cluster>-?[0-9]{1,9})\s*(?P<sign>=|->)\s*(?P<value>.+)")


class Change(NamedTuple):
    """One line of names.txt: a cluster, and its new name or the cluster that it is merged into; its place."""

    cluster: int
    name: str | None
    into: int | None
    line: int | None = None


def read_changes(folder: Path, questions: Sequence[str]) -> dict[str, list[Change]]:
    """Return the user's changes by question; lines without a question's name belong to the first question.

    :param folder: the folder of the run.
    :param questions: names of the questions.
    :raises InputError: for a line that is neither a rename nor a merge, or a file that is not UTF-8.
    """
    path = folder / NAMES
    changes: dict[str, list[Change]] = {question: [] for question in questions}
    try:
        lines = read_regular(path, MAX_BYTES).decode("utf-8-sig").splitlines()
    except FileNotFoundError:
        return changes
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8: {error}", source=str(path), hint="save it as UTF-8") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        question = (match["question"] or questions[0]) if match else ""
        if (
            not match
            or question not in changes
            or (match["sign"] == "->" and not re.fullmatch("[0-9]{1,9}", match["value"]))
        ):
            raise InputError(
                f'"{line.strip()[:SHOWN]}" is neither a rename nor a merge',
                source=str(path),
                line=number,
                hint='write "3 = late delivery" or "5 -> 2"; with several questions "reason 3 = ..."',
            )
        cluster, value = int(match["cluster"]), match["value"].strip()
        changes[question].append(
            Change(cluster, value, None, number)
            if match["sign"] == "="
            else Change(cluster, None, int(value), number)
        )
    return changes


def apply_changes(
    labels: Mapping[int, str], changes: Sequence[Change], question: str = ""
) -> tuple[dict[int, str], dict[int, int]]:
    """Return the clusters' names, and the target of each merged cluster.

    :param labels: the original labels by cluster.
    :param changes: renames and merges, in the order of their lines.
    :param question: name of the question, "" for the only one: a line that is suggested begins with it.
    :raises InputError: for an unknown cluster, one that is merged into itself, and a name that stands for other
        rows already.
    """
    names, merges = dict(labels), {}
    for cluster, name, into, line in changes:
        if missing := {cluster, cluster if into is None else into} - labels.keys():
            known = ", ".join(f"{number} {label}" for number, label in labels.items())
            raise InputError(
                f"there is no cluster {min(missing)}", source=NAMES, line=line, hint=f"its clusters: {known}"
            )
        if into is not None:
            merges[cluster] = into
        elif name is not None:
            names[cluster] = name
    merged = _ends(merges)
    _check_names(names, merged, changes, question)
    return names, merged


def _check_names(
    names: Mapping[int, str], merged: Mapping[int, int], changes: Sequence[Change], question: str
) -> None:
    """Refuse names of the user that another cluster has, or that stand for rows in no cluster."""
    lines: dict[int, int | None] = {}
    for cluster, name, _, line in changes:
        if name is not None and cluster not in merged:
            lines.pop(cluster, None)  # the last name of a cluster counts
            lines[cluster] = line
    numbers, named = set(map(str, names)), defaultdict(list)
    for cluster, name in names.items():
        if cluster not in merged:
            named[name.casefold()].append(cluster)
    for cluster, line in reversed(lines.items()):  # of two with one name, the later line is wrong
        shown, wanted = names[cluster][:SHOWN], names[cluster].casefold()
        hint = "choose another name"
        if wanted in RESERVED:
            message = f'"{shown}" stands for rows in no cluster'
        elif wanted in numbers and wanted != str(cluster):
            message = f'"{shown}" stands for cluster {wanted}'
        elif len(named[wanted]) > 1:
            first, second = sorted([cluster, next(each for each in named[wanted] if each != cluster)])
            message = f'clusters {first} and {second} are both named "{shown}"'
            merge = f"{question} {second} -> {first}".strip()
            hint = f'choose another name, or merge them: "{merge}"'
        else:
            continue
        raise InputError(message, source=NAMES, line=line, hint=hint)


def _ends(merges: Mapping[int, int]) -> dict[int, int]:
    """Return the cluster at the end of the chain of merges that begins at each merged cluster."""
    ends: dict[int, int] = {}
    for cluster in merges:
        chain, into = {cluster}, merges[cluster]
        while into in merges and into not in ends and into not in chain:
            chain.add(into)
            into = merges[into]
        if into in chain:
            raise InputError(
                f"cluster {cluster} is merged into itself", source=NAMES, hint="remove one of the merges"
            )
        ends |= dict.fromkeys(chain, ends.get(into, into))
    return ends
