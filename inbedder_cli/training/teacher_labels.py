"""What a teacher says: a Parquet file with one row for each text and question, without the texts.

The columns are `key` (16 bytes, see `label_key`), `answer`, `confidence`, `words` (the most probable first words
of the answer: strings, so that a student with another tokenizer learns from them too) and their `probabilities`.
The metadata of the file name the teacher.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, Self

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from inbedder_cli.encoders.next_words import RANKED, NextWords
from inbedder_cli.encoders.transformers.pooling import SOFTENING
from inbedder_cli.errors import InputError
from inbedder_cli.models.convert import file_sha256
from inbedder_cli.output.files import atomic_write
from inbedder_cli.untrusted import open_regular, parquet_batches
from inbedder_cli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy.typing as npt

    from inbedder_cli.encoders.encoded import Answer
    from inbedder_cli.training.examples import Example

SCHEMA = 1  # of the file
METADATA = b"inbedder.teacher"
KEY_BYTES = 16
MIN_KNOWN = 0.2  # least probability of the words that are left; 97 of 100 texts of a teacher have more
COLUMNS = pa.schema(
    {
        "key": pa.binary(KEY_BYTES),
        "answer": pa.string(),
        "confidence": pa.float32(),
        "words": pa.list_(pa.string()),
        "probabilities": pa.list_(pa.float32()),
    }
)


@dataclass(frozen=True)
class Teacher:
    """Who labeled, and how.

    :param name: of the model: its licence may hold for what is learned from it.
    :param identity: see `Encoder.identity`.
    :param template: the requested prompt template; None for the model's own.
    :param dtype: of the model.
    :param max_tokens: maximum length of a prompt, in tokens.
    :param max_answer_tokens: maximum length of an answer, in tokens.
    :param version: of inbedder.
    """

    name: str
    identity: str
    template: str | None
    dtype: str
    max_tokens: int
    max_answer_tokens: int
    version: str = __version__

    def says_the_same(self, other: Teacher) -> bool:
        """Return whether another teacher's labels are the same as this one's, but for rounding.

        :param other: the other teacher.
        :return: whether model, prompt and lengths are the same.
        """
        names = ("identity", "template", "max_tokens", "max_answer_tokens")
        return all(getattr(self, name) == getattr(other, name) for name in names)


FIELDS = {field.name for field in fields(Teacher)}


@dataclass(frozen=True)
class TeacherLabels:
    """The labels of one or more files.

    :param rows: the row of each key in the fields below.
    :param answers: one per row.
    :param confidences: of the answers, 0 to 1, shape (n_rows,).
    :param words: the first words of the answers, with probabilities.
    :param teachers: who labeled each file.
    :param files: SHA-256 of each file.
    """

    rows: dict[bytes, int]
    answers: list[str]
    confidences: npt.NDArray[np.float32]
    words: NextWords
    teachers: list[Teacher]
    files: list[str]

    @classmethod
    def read(cls, paths: Sequence[Path], stop_words: frozenset[str] = frozenset()) -> Self:
        """Return the labels of some files. Where several label the same text and question, the first one counts.

        :param paths: at least one file.
        :param stop_words: first words that say nothing: "to" of "to complain". Where hardly anything is left
            without them, no first words are known.
        :return: the labels.
        :raises InputError: when a file is missing, damaged, or not one of labels.
        """
        tables, teachers = zip(*map(read_labels, paths), strict=True)
        table = pa.concat_tables(tables).combine_chunks()
        keys = table["key"].combine_chunks().dictionary_encode()  # in the order of their first rows
        table = table.take(np.sort(np.unique(keys.indices.to_numpy(), return_index=True)[1]))
        return cls(
            rows={key: i for i, key in enumerate(keys.dictionary.to_pylist())},
            answers=table["answer"].to_pylist(),
            confidences=table["confidence"].to_numpy(),
            words=_next_words(table, stop_words),
            teachers=list(teachers),
            files=[file_sha256(path) for path in paths],
        )

    def row(self, example: Example) -> int | None:
        """Return the row of an example, or None if it has no label.

        :param example: the example.
        :return: an index into the fields.
        """
        return self.rows.get(label_key(example.text, example.instruction))

    def has_words(self, example: Example) -> bool:
        """Return whether the first words of an example's answer are known.

        :param example: the example.
        :return: True if its vector can be compared.
        """
        row = self.row(example)
        return row is not None and bool(self.words.probabilities[row].any())

    def first_words(self, example: Example) -> list[tuple[str, float]]:
        """Return the first words of an example's answer with their probabilities, of which the sum is 1.

        :param example: the example.
        :return: the most probable first; none where its words are not known.
        """
        row = self.row(example)
        if row is None:
            return []
        total = float(self.words.probabilities[row].sum())
        pairs = zip(self.words.ids[row].tolist(), self.words.probabilities[row].tolist(), strict=True)
        return [(self.words.words[id_], share / total) for id_, share in pairs if share > 0]

    def cosines(self, examples: Sequence[Example]) -> npt.NDArray[np.float32]:
        """Return how alike the teacher finds the examples, as cosines of its vectors, centered over them.

        The vectors are those of the pooling `answer-words` (see `pooling.word_roots`), as far as words are known.

        :param examples: of one question.
        :return: shape (n, n); NaN in rows and columns of examples whose words are not known.
        """
        cosines = np.full((len(examples), len(examples)), np.nan, np.float32)
        places = [i for i, example in enumerate(examples) if self.has_words(example)]
        if places:
            rows = [row for i in places if (row := self.row(examples[i])) is not None]
            cosines[np.ix_(places, places)] = _cosines(_word_roots(self.words.of(rows)))
        return cosines


def label_key(text: str, instruction: str) -> bytes:
    """Return the key of a text and a question: a hash, so that the file of labels holds no texts.

    :param text: the text.
    :param instruction: the question.
    :return: 16 bytes; white space around text and question makes no difference.
    """
    content = "\0".join((instruction.strip(), text.strip()))
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=KEY_BYTES).digest()


def labels_table(rows: Sequence[tuple[bytes, Answer]]) -> pa.Table:
    """Return labels as a table.

    :param rows: keys and answers.
    :return: one row per label.
    """
    columns: dict[str, list[Any]] = {
        "key": [key for key, _ in rows],
        "answer": [answer.text for _, answer in rows],
        "confidence": [answer.confidence for _, answer in rows],
        "words": [[word for word, _ in answer.next_words[:RANKED]] for _, answer in rows],
        "probabilities": [[p for _, p in answer.next_words[:RANKED]] for _, answer in rows],
    }
    return pa.table(columns, schema=COLUMNS)


def write_labels(table: pa.Table, teacher: Teacher, path: Path) -> None:
    """Write a file of labels, whole or not at all.

    :param table: see `labels_table`.
    :param teacher: who labeled.
    :param path: the file; an existing one is replaced.
    """
    metadata = {METADATA: json.dumps({"schema": SCHEMA, **asdict(teacher)})}
    with atomic_write(path) as stream:
        pq.write_table(
            table.replace_schema_metadata(metadata), stream, compression="zstd", write_page_checksum=True
        )


def read_labels(path: Path) -> tuple[pa.Table, Teacher]:
    """Return the labels of a file.

    :param path: the file.
    :return: its table, and who labeled.
    :raises InputError: when it is missing, damaged, or not a file of labels.
    """
    try:
        with open_regular(path, follow_links=True):
            schema = pq.read_schema(str(path))
        teacher = _teacher(schema.metadata or {}, path)
        if not schema.equals(COLUMNS):
            raise _damaged(path, "its columns are not those of labels")
        table = pa.Table.from_batches(parquet_batches(path, COLUMNS.names), COLUMNS)
        table.validate(full=True)  # text that is not UTF-8
    except InputError:
        raise
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:  # damage has many faces
        reason = (isinstance(error, OSError) and error.strerror) or str(error).partition("\n")[0]
        raise InputError(
            f"cannot be read as labels: {reason}",
            source=str(path),
            hint="give a file that inbedder teach has written",
        ) from error
    if problem := _problem(table):
        raise _damaged(path, problem)
    return table, teacher


def is_labels(path: Path) -> bool:
    """Return whether a file is one that `write_labels` has written, of any version, by its metadata.

    :param path: the file; not a link.
    """
    try:
        with open_regular(path):
            return METADATA in (pq.read_schema(str(path)).metadata or {})
    except (pa.ArrowException, OSError, ValueError):
        return False


def _teacher(metadata: dict[bytes, bytes], path: Path) -> Teacher:
    """Return the teacher that a file's metadata name."""
    if METADATA not in metadata:
        raise InputError(
            "is not a file of labels", source=str(path), hint="write one: inbedder teach DATA -m TEACHER -o FILE"
        )
    try:
        values = msgspec.json.decode(metadata[METADATA], type=dict[str, str | int | None])
        schema = values.pop("schema")
        if schema != SCHEMA:
            raise InputError(
                f"has labels of another version of inbedder ({values.get('version')}, schema {schema})",
                source=str(path),
                hint="use that version, or label again with inbedder teach",
            )
        if unknown := values.keys() - FIELDS:
            raise ValueError(f"unknown: {unknown}")
        return msgspec.convert(values, Teacher)
    except (msgspec.MsgspecError, ValueError, KeyError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise _damaged(path, "its metadata do not name a teacher") from error


def _problem(table: pa.Table) -> str | None:
    """Return what is wrong with the values of a table, or None."""
    lengths = pc.list_value_length(table["words"])
    lists = [table[name].combine_chunks().flatten() for name in ("words", "probabilities")]
    if any(values.null_count for values in (*table.columns, *lists)):
        return "it has gaps"
    if not lengths.equals(pc.list_value_length(table["probabilities"])) or (pc.max(lengths).as_py() or 0) > RANKED:
        return "words and probabilities do not match"
    numbers = np.concatenate([table["confidence"].to_numpy(), lists[1].to_numpy()])
    if not ((numbers >= 0) & (numbers <= 1.001)).all():  # a sum of probabilities may round up
        return "some of its probabilities are no probabilities"
    return None


def _damaged(path: Path, problem: str) -> InputError:
    return InputError(f"is damaged: {problem}", source=str(path), hint="label again with inbedder teach")


def _next_words(table: pa.Table, stop_words: frozenset[str]) -> NextWords:
    """Return the words and probabilities of a table; stop words have the probability 0."""
    words = table["words"].combine_chunks().flatten().dictionary_encode()
    lengths = pc.list_value_length(table["words"]).to_numpy()
    filled = np.arange(RANKED) < lengths[:, None]
    ids, probabilities = np.zeros(filled.shape, np.int32), np.zeros(filled.shape, np.float32)
    ids[filled] = words.indices.to_numpy()
    probabilities[filled] = table["probabilities"].combine_chunks().flatten().to_numpy()
    vocabulary = words.dictionary.to_pylist()
    says_nothing = filled & np.isin(ids, [i for i, word in enumerate(vocabulary) if word in stop_words])
    probabilities[says_nothing] = 0
    probabilities[says_nothing.any(1) & (probabilities.sum(1) < MIN_KNOWN)] = 0
    return NextWords(vocabulary, ids, probabilities)


def _word_roots(words: NextWords) -> npt.NDArray[np.float64]:
    """Return one unit vector per row: the square roots of the softened probabilities, one column per word."""
    softened = words.probabilities.astype(np.float64) ** (1 / SOFTENING)
    softened /= softened.sum(1, keepdims=True)
    vocabulary, places = np.unique(words.ids, return_inverse=True)
    roots = np.zeros((len(softened), len(vocabulary)))
    np.add.at(roots, (np.arange(len(roots))[:, None], places.reshape(words.ids.shape)), np.sqrt(softened))
    return roots


def _cosines(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the cosines of vectors after centering; those that equal the mean are like no other."""
    centered = vectors - vectors.mean(0)
    unit = centered / np.maximum(np.linalg.norm(centered, axis=1, keepdims=True), 1e-9)
    return unit @ unit.T  # type: ignore[no-any-return]
