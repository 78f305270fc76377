"""Carriage returns inside cells without quotes, in files whose lines end with LF or CRLF."""

from __future__ import annotations

from typing import TYPE_CHECKING

from inbedder_cli.wording import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator


class LoneReturns:
    """Joins the parts of rows that a lone CR divides, which the parser takes for the end of a line.

    :param head: the header and what is below it, as far as it was read ahead.
    """

    def __init__(self, head: str) -> None:
        n_lines = head.count("\n")
        n_lone = head.count("\r") - head.count("\r\n")
        first = head.partition("\n")[0].removesuffix("\r")
        self.are_content = n_lone < n_lines and "\r" not in first
        self.last = ""  # line that was read
        self.n = 0
        self.first = 0  # line of the first row that was joined

    def seen(self, lines: Iterator[str]) -> Iterator[str]:
        """Yield lines, and remember the latest.

        :param lines: of the file.
        :yield: the same lines.
        """
        for line in lines:
            self.last = line
            yield line

    def joined(self, records: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
        """Yield records, those together that make no more than one row and have a lone CR between them.

        :param records: the header, and the rows; `seen` has seen no line beyond those of the last one.
        :yield: line and cells of each.
        """
        header = next(records, None)
        if header is None:
            return
        yield header
        width = len(header[1])
        row, is_open = 0, False
        cells: list[str] = []
        last: list[str] = []  # parts of the last cell
        for line, others in records:
            first, *rest = others or [""]
            if is_open and len(cells) + len(rest) <= width:
                self.n += 1
                self.first = self.first or row
                last.append(first)
                if rest:
                    cells[-1:] = ["\r".join(last), *rest]
                    last = [rest[-1]]
            else:
                if is_open:
                    yield row, [*cells[:-1], "\r".join(last)]
                row, cells, last = line, others, others[-1:]
            is_open = self.last.endswith("\r") and bool(cells)
            if not is_open:
                yield row, [*cells[:-1], "\r".join(last)] if len(last) > 1 else cells
        if is_open:
            yield row, [*cells[:-1], "\r".join(last)]

    def notes(self) -> list[str]:
        """Return a note about rows that were joined; nothing if there are none."""
        lone = count_of(self.n, "lone CR")
        return [f"{lone} read as part of the text (first: line {self.first:,})"] if self.n else []
