"""Files that are no tables of texts: called by their name, with a way to make one of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from inbedder_cli.corpus.text_lines import WIDE_MARKS, encoding_of, head_text, wide_encoding
from inbedder_cli.errors import InputError

if TYPE_CHECKING:
    from inbedder_cli.corpus.layout import Layout
    from inbedder_cli.corpus.opening import Opened

STRAY_CONTROLS = 4  # control characters that a text may contain by accident
SEPARATORS = (0x01, 0x1E, 0x1F)  # control characters that delimit cells or records
TAR = slice(257, 262)  # where the magic bytes of a tar archive are
AS_CSV = "export it as CSV or Parquet"
AS_XLSX = "open it in a spreadsheet and save it as .xlsx or CSV"
WITH_PANDAS = "in Python: pandas.{}({!r}).to_parquet({!r})"


class Foreign(NamedTuple):
    """A kind of file that is not read.

    :param start: its first bytes.
    :param kind: what it is, with an article.
    :param way_out: what to do with it, where "{}" stands for its name; or the function of pandas that reads it.
    """

    start: bytes
    kind: str
    way_out: str


FOREIGN = (
    Foreign(b"PK\x03\x04", "a document (LibreOffice, Numbers, Word) or another zip archive", AS_XLSX),
    Foreign(b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls), or an Office document with a password", AS_XLSX),
    Foreign(b"ARROW1", "an Arrow or Feather file", "read_feather"),
    Foreign(b"FEA1", "a Feather file", "read_feather"),
    Foreign(
        b"\xff\xff\xff\xff", "an Arrow stream", "in Python: read_corpus(pyarrow.ipc.open_stream(FILE).read_all())"
    ),
    Foreign(b"ORC", "an ORC file", "read_orc"),
    Foreign(b"$FL2", "an SPSS file", "read_spss"),
    Foreign(b"$FL3", "an SPSS file", "read_spss"),
    Foreign(b"<stata_dta>", "a Stata file", "read_stata"),
    Foreign(bytes(12) + b"\xc2\xea\x81\x60", "a SAS file", "read_sas"),
    Foreign(b"RDX", "an R data file", "in R: write.csv(readRDS(FILE), 'FILE.csv', row.names = FALSE)"),
    Foreign(b"X\n\0\0", "an R data file", "in R: write.csv(readRDS(FILE), 'FILE.csv', row.names = FALSE)"),
    Foreign(
        b"SQLite format 3", "an SQLite database", 'sqlite3 -csv -header FILE "select * from TABLE" > rows.csv'
    ),
    Foreign(b"Obj\x01", "an Avro file", AS_CSV),
    Foreign(b"\x93NUMPY", "a NumPy array", "for vectors: inbedder cluster ROWS.csv --vectors FILE"),
    Foreign(b"\x89HDF", "an HDF5 file", AS_CSV),
    Foreign(b"%PDF", "a PDF document", "copy its text into a file, one text per line"),
    Foreign(b"\x89PNG", "a picture", AS_CSV),
    Foreign(b"\xff\xd8\xff", "a picture", AS_CSV),
    Foreign(b"7z\xbc\xaf", "a 7z archive", "unpack it first"),
    Foreign(b"Rar!", "a RAR archive", "unpack it first"),
)
PICKLE = re.compile(rb"\x80[\x02-\x05]")
MARKUP = (  # beginnings of text formats that are no tables
    (re.compile(r"<!doctype html|<html\b", re.I), "an HTML page"),
    (re.compile(r"<table\b", re.I), "an HTML table"),
    (re.compile(r"<\?xml\b", re.I), "an XML document"),
    (re.compile(r"\{\\rtf"), "an RTF document"),
    (re.compile(r"\|[^\n]*\n\|(?:\s*:?-+:?\s*\|)+\s*(?:\n|\Z)"), "a Markdown document"),
)


def refuse_foreign(opened: Opened, layout: Layout) -> None:
    """Check that a file holds text, and none that begins as a document.

    :param opened: the file.
    :param layout: as it was given; its delimiter may be a control character.
    :raises InputError: for another kind of file; the hint says how to make a table of it.
    """
    head, name = opened.head, opened.name
    if head.startswith(tuple(WIDE_MARKS)):
        return
    for foreign in FOREIGN:
        is_word = foreign.start.isalnum()  # with which a text may begin, too
        if head.startswith(foreign.start) and (not is_word or b"\0" in head):
            raise InputError(f"is {foreign.kind}, not a text table", source=name, hint=_way_out(foreign, name))
    if head[TAR] == b"ustar":
        raise InputError(
            "is a tar archive", source=name, hint="unpack it, and name one of its files: tar -xf FILE"
        )
    if PICKLE.match(head):
        hint = "a pickle can run code when it is loaded; where you made it, write Parquet: frame.to_parquet(...)"
        raise InputError("is a Python pickle, which is never loaded", source=name, hint=hint)
    if encoding_of(opened, layout) != "utf-8":  # whose letters may have the bytes of control characters
        return
    allowed = {*SEPARATORS, *range(9, 14), 27, *map(ord, layout.delimiter or "")}
    control = sum(head.count(bytes([c])) for c in range(1, 32) if c not in allowed)
    if control > max(STRAY_CONTROLS, len(head) // 50):
        wide = wide_encoding(head)
        hint = f"add --encoding {wide}" if wide else "give a CSV, TSV, JSON-lines or Parquet file"
        kind = "is UTF-16 without a byte-order mark" if wide else "holds binary data, not a text table"
        raise InputError(kind, source=name, hint=hint)


def refuse_markup(opened: Opened, layout: Layout) -> None:
    """Check that a file whose format is not given does not begin as a page or a document.

    :param opened: the file.
    :param layout: as it was given.
    :raises InputError: for HTML, XML, RTF and Markdown, also under the name of a table, as of a failed download.
    """
    start = head_text(opened, layout).lstrip()
    for pattern, kind in MARKUP:
        if pattern.match(start):
            hint = (
                "a download that failed looks like this; a page with a table: open it in a spreadsheet and save it"
            )
            hint = hint if "HTML" in kind else AS_CSV
            raise InputError(
                f"is {kind}, not a table",
                source=opened.name,
                hint=f"{hint}; to read it anyway: --input-format lines",
            )


def _way_out(foreign: Foreign, name: str) -> str:
    if foreign.way_out.startswith("read_"):
        return WITH_PANDAS.format(foreign.way_out, name, f"{name}.parquet")
    return foreign.way_out
