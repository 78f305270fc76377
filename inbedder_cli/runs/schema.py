"""run.json of a saved run: its schema, against which the whole file is checked before anything else is opened.

msgspec decodes into these classes directly: a wrong type, a number out of range or a missing key is an error that
names its place, and what is not in the schema costs no memory, however much of it there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from inbedder_cli.clustering import NOISE
from inbedder_cli.corpus.layout import Reading
from inbedder_cli.encoders.base import ModelRecord
from inbedder_cli.errors import InputError
from inbedder_cli.options import (
    ClusterOptions,
    Dtype,
    EmptyTexts,
    EncodeOptions,
    EncodingErrors,
    ExplainOptions,
    OnBadRow,
    Pooling,
    UnansweredOptions,
)
from inbedder_cli.runs.folders import MANIFEST, ROWS, TENSORS
from inbedder_cli.runs.repeating import how_to_repeat_older
from inbedder_cli.untrusted import read_regular

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 3
MAX_BYTES = 32_000_000  # of run.json
SHOWN = 300  # characters of a message about a damaged file

Count = Annotated[int, Meta(ge=0, le=2**53)]
Share = Annotated[float, Meta(ge=0, le=1)]
Instruction = Annotated[str, Meta(min_length=1, max_length=200_000)]
Reference = Annotated[str, Meta(min_length=1, max_length=4096)]  # a path or a name
SHA256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]
Clusters = Annotated[int, Meta(ge=1, le=10**7)]  # a number of clusters, or of rows in one
QuestionName = Annotated[str, Meta(pattern=r"^(?:[^\W\d]\w*)?$")]


class Answer(Struct, frozen=True):
    """A frequent answer of a cluster."""

    text: str
    share: Share


class SavedPhrase(Struct, frozen=True):
    """A phrase of a cluster."""

    text: str
    support: Share
    lift: float
    score: float


class SavedExemplar(Struct, frozen=True):
    """A row that is shown as an example; the beginning of its text."""

    id: str
    text: str
    answer: str | None = None
    nearest: int | None = None


class SavedCheck(Struct, frozen=True):
    """Fields of `LabelCheck`."""

    coverage: Share
    specificity: Share
    f1: Share | None
    elsewhere: Share


class Cluster(Struct, frozen=True):
    """A cluster: `show` and `assign` need the first fields, the report the others, which older runs may lack."""

    cluster: Annotated[int, Meta(ge=NOISE, lt=10**7)]
    label: str
    size: Count
    answers: list[Answer]
    likely_next_words: list[str]
    stability: float | None = None
    label_is_weak: bool | None = None
    share: Share = 0.0
    entropy: float | None = None
    label_check: SavedCheck | None = None
    phrases: list[SavedPhrase] = []
    exemplars: list[SavedExemplar] = []
    diverse: list[SavedExemplar] = []
    borderline: list[SavedExemplar] = []


class SavedUnanswered(Struct, frozen=True):
    """The rows that do not answer the question."""

    size: Count
    share: Share
    answers: list[Answer] = []
    exemplars: list[SavedExemplar] = []


class SavedBaseline(Struct, frozen=True):
    """Fields of `BaselineAgreement`."""

    ami: float
    rows: Count
    answers_ami: float | None = None


class SavedKScore(Struct, frozen=True):
    """A number of clusters that was tried."""

    k: Clusters
    silhouette: float
    stability: float
    score: float
    agreement: float | None = None
    chosen: bool = False


class SavedClustering(Struct, frozen=True):
    """How the clusters were made."""

    approximation: str | None = None
    k_selection: list[SavedKScore] | None = None
    k_is_capped: bool = False
    answered_alike: list[list[int]] = []


class Rows(Struct, frozen=True, rename={"no_answer": "no-answer"}):
    """The number of rows of the input, in all and by status."""

    total: Count
    ok: Count = 0
    noise: Count = 0
    no_answer: Count = 0

    @property
    def n_read(self) -> int:
        """The number of rows with text."""
        return self.ok + self.noise + self.no_answer


class Several(Struct, frozen=True):
    """Of a question that a row may have several answers to."""

    answers: Count
    words: Annotated[list[Annotated[str, Meta(max_length=1000)]], Meta(max_length=1000)]


class Question(Struct, frozen=True):
    """A question and its clusters."""

    instruction: Instruction
    rows: Rows
    clusters: list[Cluster]
    clustering: SavedClustering = SavedClustering()
    baseline: SavedBaseline | None = None
    unanswered: SavedUnanswered | None = None
    unread_languages: dict[str, Share] = {}
    multi: Several | None = None

    def __post_init__(self) -> None:
        numbers = sorted(c.cluster for c in self.clusters if c.cluster != NOISE)
        if numbers != list(range(len(numbers))) or len(self.clusters) > len(numbers) + 1:
            raise ValueError("the clusters are not numbered 0, 1, 2, ...")
        sizes = [c.size for c in self.clusters] + ([self.unanswered.size] if self.unanswered else [])
        if self.multi and max(sizes, default=0) > self.rows.n_read:
            raise ValueError("a cluster has more rows than were read")

    @property
    def k(self) -> int:
        """The number of clusters, without noise."""
        return sum(c.cluster != NOISE for c in self.clusters)

    @property
    def n_lines(self) -> int:
        """The number of rows of rows.parquet: one per answer where a row may have several."""
        return self.multi.answers if self.multi else self.rows.total


class Model(Struct, frozen=True):
    """Fields of `ModelRecord`."""

    reference: Reference
    description: str
    identity: str
    template: str | None
    dtype: Dtype


class Encoding(Struct, frozen=True):
    """Fields of `EncodeOptions`."""

    pooling: Pooling | None
    layer: Annotated[int, Meta(ge=-(10**4), le=10**4)] | None
    answers: bool
    max_answer_tokens: Annotated[int, Meta(ge=1, le=10**4)]
    max_tokens: Annotated[int, Meta(ge=1, le=10**7)]
    batch_tokens: Annotated[int, Meta(ge=1, le=10**9)] | None


class Unanswered(Struct, frozen=True):
    """Fields of `UnansweredOptions`."""

    flag: bool
    min_confidence: Share


class Explanation(Struct, frozen=True):
    """Fields of `ExplainOptions`."""

    stop_words: str | list[str] | None = None
    phrases: Count = 8
    exemplars: Count = 3


class Settings(Struct, frozen=True):
    """Fields of `ClusterOptions`."""

    algorithm: str
    k: Clusters | None
    k_min: Clusters
    k_max: Clusters
    min_cluster_size: Clusters | None
    seed: Annotated[int, Meta(ge=0, lt=2**32)]
    stability: bool
    consensus: bool = True


class Input(Struct, frozen=True):
    """Fields of `Reading` and `Layout`: how the file of the run was read."""

    columns: list[str]
    text: list[str]
    text_template: str | None
    id_column: str | None
    empty: EmptyTexts
    delimiter: str | None
    encoding: str | None
    header: bool
    header_rows: Annotated[int, Meta(ge=1, le=3)] | None
    skip_rows: Count
    escape: str | None
    json_path: str | None
    sheet: str | None
    encoding_errors: EncodingErrors = EncodingErrors.fail
    quote: str = '"'
    on_bad_row: OnBadRow = OnBadRow.fail
    limit: Annotated[int, Meta(ge=1)] | None = None
    sample: Annotated[int, Meta(ge=1)] | None = None
    input_format: str | None = None


class Files(Struct, frozen=True, rename={"tensors": TENSORS, "rows": ROWS}):
    """Hashes of the other files."""

    tensors: SHA256
    rows: SHA256


class Manifest(Struct, frozen=True):
    """The contents of run.json, without the keys that only people read.

    `columns` are those of the input that reports show, with bins after a colon; `crossed` are those among them
    that the clusters are crossed with.

    A run of one question has the keys of `Question` itself: `read_manifest` gives it the name "".
    """

    schema: Literal[3]
    source: str
    versions: dict[str, str]
    model: Model
    encoding: Encoding
    unanswered_options: Unanswered
    settings: dict[QuestionName, Settings]
    files: Files
    questions: dict[QuestionName, Question] = {}
    input: Input | None = None
    columns: list[str] = []
    crossed: list[str] = []
    explanation: Explanation = Explanation()

    @property
    def reading(self) -> Reading | None:
        """How the file was read; None for a list or a series, and where an older version saved the run."""
        return None if self.input is None else Reading.of_options(msgspec.structs.asdict(self.input))

    @property
    def model_record(self) -> ModelRecord:
        """How to load the encoder."""
        return ModelRecord(**(msgspec.structs.asdict(self.model) | {"dtype": str(self.model.dtype)}))

    @property
    def encode_options(self) -> EncodeOptions:
        """How the texts were encoded."""
        return EncodeOptions(**msgspec.structs.asdict(self.encoding))

    @property
    def flag_options(self) -> UnansweredOptions:
        """Which answers count as unanswered."""
        return UnansweredOptions(**msgspec.structs.asdict(self.unanswered_options))

    @property
    def explain_options(self) -> ExplainOptions:
        """How the clusters were explained."""
        return ExplainOptions(**msgspec.structs.asdict(self.explanation))

    def cluster_options(self, question: str) -> ClusterOptions:
        """Return the options that made the clusters of a question.

        :param question: its name.
        """
        return ClusterOptions(**msgspec.structs.asdict(self.settings[question]))


class _Version(Struct):
    schema: Count


def read_manifest(folder: Path, *, shown: Path) -> Manifest:
    """Return the contents of run.json.

    :param folder: where the run is.
    :param shown: the folder as the user named it.
    :raises InputError: for a file of another version, or one that is not valid.
    :raises OSError: when it cannot be read.
    """
    content = read_regular(folder / MANIFEST, MAX_BYTES)
    source = str(shown / MANIFEST)
    try:
        version = msgspec.json.decode(content, type=_Version).schema
        if version != SCHEMA:
            raise InputError(
                f"made by another version of inbedder (schema {version}, not {SCHEMA})",
                source=str(shown),
                hint=how_to_repeat_older(content, shown),
            )
        manifest = msgspec.json.decode(content, type=Manifest)
        if not manifest.questions:
            only = {"": msgspec.json.decode(content, type=Question)}
            manifest = msgspec.structs.replace(manifest, questions=only)
        if set(manifest.settings) != set(manifest.questions):
            raise ValueError("the settings belong to other questions")
        for name in manifest.questions:
            manifest.cluster_options(name)
        return manifest
    except InputError:
        raise
    except (
        msgspec.MsgspecError,
        ValueError,
        RecursionError,
    ) as error:  # an unknown algorithm is a UsageError
        raise _invalid(error, source) from error


def _invalid(error: Exception, source: str) -> InputError:
    said = " ".join(str(error).split()) or type(error).__name__
    return InputError(
        f"not a saved run: {said if len(said) <= SHOWN else said[:SHOWN] + '...'}",
        source=source,
        hint="save the run again: cluster --save",
    )
