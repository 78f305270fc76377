"""The data files of a downloaded dataset: finds those of one configuration and split, and reads their rows."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InputError
from inbedder_cli.evaluation.records import Record, read_records

if TYPE_CHECKING:
    from pathlib import Path

SUFFIXES = (".parquet", ".jsonl", ".csv", ".json")
PACKED = ".gz"
DEFAULT = ("", "default")


def config_files(folder: Path, config: str, split: str) -> list[Path]:
    """Return the files of one configuration's split, sorted by name.

    These are the files that the dataset's README.md lists under `configs:`, or else those with the names of the
    configuration and the split in their paths, as a folder or as a word of the file name.

    :param folder: the downloaded dataset.
    :param config: name of the configuration; "" for a dataset without configurations.
    :param split: name of the split, for example "test".
    :return: paths, sorted by name.
    :raises InputError: when there is no such file.
    """
    files = sorted(p for p in folder.rglob("*") if p.is_file() and _suffix(p))
    paths = {file: file.relative_to(folder).as_posix() for file in files}
    matches: list[Path] = []
    for pattern in _card_patterns(folder, config, split):
        matches += [f for f in files if fnmatch.fnmatch(paths[f], pattern) and f not in matches]
    if not matches:
        names = {split} if config in DEFAULT else {split, config}
        matches = [f for f in files if names <= set(re.split(r"[/._\-]+", paths[f]))]
    if not matches and config not in DEFAULT:  # one file per configuration, of a single split
        matches = [f for f in files if config in re.split(r"[/._\-]+", paths[f])]
    if not matches:
        of = f'configuration "{config}", ' if config else ""
        raise InputError(
            f'no Parquet, JSON-lines or CSV file of {of}split "{split}"',
            source=str(folder),
            hint=f"files there: {', '.join(paths.values()) or 'none'}",
        )
    return matches


def read_file(path: Path, broken: list[str] | None = None, *, as_text: bool = False) -> list[Record]:
    """Read the rows of one Parquet, JSON-lines or CSV file; messages count rows as lines.

    :param path: the file; JSON lines may be gzipped.
    :param broken: collects one message per unusable line of JSON; None raises the first one.
    :param as_text: whether cells of CSV stay texts, also numbers and "true".
    :return: one record per row.
    :raises InputError: when the file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    suffix = _suffix(path)
    if suffix in (".jsonl", ".json"):
        return read_records(path, broken)
    try:
        table: Any
        if suffix == ".parquet":
            with pq.ParquetFile(str(path)) as parquet:
                table = parquet.read()
            first = 1
        else:
            parsing = pyarrow.csv.ParseOptions(newlines_in_values=True)
            names: list[str] = []
            if as_text:
                with pyarrow.csv.open_csv(str(path), parse_options=parsing) as reader:
                    names = reader.schema.names
            converting = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
            table = pyarrow.csv.read_csv(str(path), parse_options=parsing, convert_options=converting)
            first = 2
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"cannot be read: {str(error).splitlines()[0]}", source=str(path)) from error
    return [Record(str(path), first + i, row) for i, row in enumerate(table.to_pylist())]


def _suffix(path: Path) -> str:
    name = path.name.removesuffix(PACKED)
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def _card_patterns(folder: Path, config: str, split: str) -> list[str]:
    """Return the patterns of the README's front matter for one configuration's split."""
    card = folder / "README.md"
    if not card.is_file():
        return []
    from huggingface_hub import DatasetCard

    try:
        entries: Any = getattr(DatasetCard(card.read_text(encoding="utf-8")).data, "configs", None) or []
        for entry in entries:
            if entry["config_name"] in (DEFAULT if config in DEFAULT else (config,)):
                named = entry.get("data_files", [])
                if isinstance(named, str):
                    return [named]
                paths = [f["path"] for f in named if isinstance(f, dict) and f.get("split") == split]
                return [p for path in paths for p in ([path] if isinstance(path, str) else path)]
    except Exception:  # noqa: S110  the card is optional: without a usable one, file names decide
        pass
    return []
