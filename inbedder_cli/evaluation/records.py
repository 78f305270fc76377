"""Records of a data file with their line numbers, for error messages."""

from __future__ import annotations

import json
import math
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inbedder_cli.corpus.foreign import refuse_foreign
from inbedder_cli.corpus.layout import Layout
from inbedder_cli.corpus.opening import open_input
from inbedder_cli.corpus.text_lines import decode_lines
from inbedder_cli.corpus.values import value_as_text
from inbedder_cli.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One object of a file, and its line for messages.

    :param source: path of the file.
    :param line: number of the line, from 1.
    :param cells: values by key.
    """

    source: str
    line: int
    cells: dict[str, Any]

    def text(self, name: str) -> str:
        """Return a cell as stripped text.

        :param name: key of the cell.
        :return: never empty.
        :raises InputError: when it is missing, empty, or not a string.
        """
        value = self._not_null(name)
        if not isinstance(value, str) or not value.strip():
            raise self.error("is not a text", name)
        return value.strip()

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a cell that holds a list of texts, each stripped.

        :param name: key of the cell.
        :return: may be empty, and hold empty texts.
        :raises InputError: when it does not.
        """
        value = self._not_null(name)
        if not isinstance(value, (list, tuple)) or not all(isinstance(v, str) for v in value):
            raise self.error("is not a list of texts", name)
        return tuple(v.strip() for v in value)

    def number(self, name: str) -> float:
        """Return a cell as a finite number.

        :param name: key of the cell.
        :return: the number.
        :raises InputError: when it is missing, or not a finite number.
        """
        value = self._not_null(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise self.error("is not a number", name)
        return float(value)

    def label(self, name: str) -> str | None:
        """Return a cell as a class name; None where it is null or empty.

        :param name: key of the cell.
        :return: the class name.
        :raises InputError: when there is no such key.
        """
        text = value_as_text(self._present(name)).strip()
        return text or None

    def error(self, problem: str, column: str | None = None) -> InputError:
        """Return an error that names this record.

        :param problem: what is wrong.
        :param column: the cell that is wrong, if it is one.
        :return: the error, to be raised.
        """
        return InputError(problem, source=self.source, line=self.line, column=column)

    def _present(self, name: str) -> Any:  # noqa: ANN401
        if name not in self.cells:
            hint = f"{did_you_mean(name, self.cells)}keys here: {', '.join(self.cells)}"
            raise InputError(f'no key "{name}"', source=self.source, line=self.line, hint=hint)
        return self.cells[name]

    def _not_null(self, name: str) -> Any:  # noqa: ANN401
        value = self._present(name)
        if value is None:
            raise self.error("is null", name)
        return value


def read_records(path: Path, broken: list[str] | None = None) -> list[Record]:
    """Return the records of a JSON-lines file; blank lines are skipped.

    :param path: the file.
    :param broken: collects one message per unusable line; None raises the first one.
    :return: one record per line.
    :raises InputError: naming the file and the line that is not a JSON object.
    """
    records = []
    with closing(open_input(str(path))) as opened:
        refuse_foreign(opened, Layout())
        for number, line in enumerate(decode_lines(opened), start=1):
            if not line.strip():
                continue
            try:
                records.append(Record(str(path), number, _parse_object(line, path, number)))
            except InputError as error:
                if broken is None:
                    raise
                broken.append(str(error))
    return records


def _parse_object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        cells = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"bad JSON: {error}", source=str(path), line=number) from error
    if not isinstance(cells, dict):
        raise InputError("is not a JSON object", source=str(path), line=number)
    return cells


def labeled_texts(
    records: Sequence[Record], text: str, label: str
) -> tuple[tuple[str, ...], tuple[str, ...], int]:
    """Return the texts and labels of the records that have both: several tasks may share a file.

    :param records: of one file.
    :param text: key of the text.
    :param label: key of the class.
    :return: texts, labels, and the number of records without a text or a label.
    :raises InputError: when no record has the key of the class, one has no text key, or a text is not a string.
    """
    if records and not any(label in record.cells for record in records):
        records[0].label(label)  # raises, with the place
    rows = [(record.cells.get(text), record.label(label) if label in record.cells else None) for record in records]
    for record, (value, _) in zip(records, rows, strict=True):
        if text not in record.cells or (value is not None and not isinstance(value, str)):
            record.text(text)  # raises, with the place
    kept = [
        (value.strip(), class_name)
        for value, class_name in rows
        if value and value.strip() and class_name is not None
    ]
    return tuple(t for t, _ in kept), tuple(class_name for _, class_name in kept), len(records) - len(kept)
