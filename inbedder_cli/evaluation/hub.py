"""The paper's own sets, and its generic tasks, by name from the Hugging Face hub.

Files are downloaded at a pinned revision and read as data (Parquet, JSON lines, CSV). No code from the hub is run.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.errors import InputError, ModelError, did_you_mean
from inbedder_cli.evaluation.hub_files import config_files, read_file
from inbedder_cli.evaluation.records import Record, labeled_texts
from inbedder_cli.evaluation.tasks import (
    ClusteringTask,
    Goal,
    Pair,
    PairTask,
    Query,
    RerankingTask,
    Suite,
    Triplet,
    TripletTask,
    join_suites,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

SPLIT = "test"


@dataclass(frozen=True)
class HubSet:
    """A set on the hub.

    :param repository: id of the dataset.
    :param revision: the commit that is downloaded; "main" where no published code pins one.
    :param layout: clustering, triplets, pairs, folds (a row holds one whole clustering) or reranking.
    :param questions: the paper's question per configuration ("" for a set without configurations).
    """

    repository: str
    revision: str
    layout: str
    questions: dict[str, str]


# Questions: the reference code's (zhang-yu-wei/InBedder, 3d95d4fa). Revisions: pinned there (IntentEmotion,
# InstructSTSB, RateMyProf), by qdd99/attention-relay (NYT, FewRel, FewNerd, FewEvent), by mteb (the generic ones).
PAPER_SETS = {
    "IntentEmotion": HubSet(
        "BrandonZYW/IntentEmotion",
        "d0101c15083166b77371cf542c4045decc0a6e92",
        "triplets",
        {"emotion": "How does the customer feel?", "intent": "What does the customer need?"},
    ),
    "InstructSTSB": HubSet(
        "BrandonZYW/InstructSTSB", "34dda81eca082ba6b3a259899fe9ae435b6ea1ae", "pairs", {"": ""}
    ),
    "NYTClustering": HubSet(
        "BrandonZYW/NYTClustering",
        "874caa290866b25a86bfa94a4e457c72fb5bdcb2",
        "clustering",
        {"topic": "What is the topic of news?", "location": "Where did the news happen?"},
    ),
    "RateMyProfClustering": HubSet(
        "BrandonZYW/RateMyProfClustering",
        "253b8501d191f7c3d3aff3bc27c6d7f7112589ba",
        "clustering",
        {
            "": "Here is a student review on the course and the professor. "
            "Categorize the aspect the student is discussing about."
        },
    ),
    "FeedbacksClustering": HubSet(
        "BrandonZYW/FeedbacksClustering",
        "main",
        "clustering",
        {
            "": "Here is a human feedback on machine-generated text. "
            "Categorize the type of reason why the human like or dislike it."
        },
    ),
    "FewRelClustering": HubSet(
        "BrandonZYW/FewRelClustering",
        "d951bf6cb10522c042bf8db3a837028b7e69388f",
        "clustering",
        {
            "": "Here is a sentence. Please tell me the relation type between two specified entities "
            "appended after the sentence."
        },
    ),
    "FewNerdClustering": HubSet(
        "BrandonZYW/FewNerdClustering",
        "9dff096e4ca4dd38688236fa1d4e4c17cb547e66",
        "clustering",
        {"": "Here is a sentence. Please tell me the type of the specified entity appended after the sentence."},
    ),
    "FewEventClustering": HubSet(
        "BrandonZYW/FewEventClustering",
        "aecc9c3ad7ae8d05b8621390d1919f1816eab777",
        "clustering",
        {
            "": "Here is a sentence. Please tell me the type of the specified event according to "
            "the trigger words appended after the sentence."
        },
    ),
}
GENERIC_SETS = {
    "mteb/askubuntudupquestions-reranking": HubSet(
        "mteb/askubuntudupquestions-reranking",
        "2000358ca161889fa9c082cb41daa8dcfb161a54",
        "reranking",
        {"": "What does the user want?"},
    ),
    "mteb/scidocs-reranking": HubSet(
        "mteb/scidocs-reranking",
        "d3c5e1fc0b855ab6097bf1cda04dd73947d7caab",
        "reranking",
        {"": "What is the paper about based on the title?"},
    ),
    "mteb/stackoverflowdupquestions-reranking": HubSet(
        "mteb/stackoverflowdupquestions-reranking",
        "e185fbe320c72810689fc5848eb6114e1ef5ec69",
        "reranking",
        {"": "What does the user want?"},
    ),
    "mteb/twentynewsgroups-clustering": HubSet(
        "mteb/twentynewsgroups-clustering",
        "6125ec4e24fa026cec8a478383ee943acfbd5449",
        "folds",
        {"": "Categorize the topic of the news article."},
    ),
}
SETS = PAPER_SETS | GENERIC_SETS
GROUPS = {"paper": tuple(PAPER_SETS), "generic": tuple(GENERIC_SETS)}


def is_hub_name(name: str) -> bool:
    """Return whether a name is that of a set or a group of sets.

    :param name: may end in @revision.
    :return: whether `hub_suite` takes it.
    """
    bare = name.partition("@")[0]
    return bare in SETS or bare in GROUPS


def hub_suite(name: str, *, offline: bool = False, wordings: Path | None = None) -> Suite:
    """Fetch a set, or the groups "paper" and "generic", and return its tasks.

    :param name: of a set or group; @revision replaces the pinned revision.
    :param offline: use the local cache only.
    :param wordings: JSON file of questions for robustness: for each task, correct_instructions,
        implicit_instructions and incorrect_instructions.
    :return: the tasks.
    :raises ModelError: when the hub is out of reach, or has no such revision.
    :raises InputError: when a file does not have the expected columns.
    """
    if name in GROUPS:
        return replace(
            join_suites([hub_suite(n, offline=offline, wordings=wordings) for n in GROUPS[name]]), name=name
        )
    bare, _, revision = name.partition("@")
    known = SETS[bare]
    folder = _snapshot(known.repository, revision or known.revision, offline=offline)
    suite = suite_of_folder(bare, known, folder)
    return _with_wordings(suite, wordings) if wordings else suite


def suite_of_folder(name: str, known: HubSet, folder: Path) -> Suite:
    """Return the tasks of a downloaded set.

    :param name: of the set.
    :param known: its layout and questions.
    :param folder: where its files are.
    :return: the tasks.
    :raises InputError: when a file or column is missing, or a cell has the wrong type.
    """
    rows = {
        config: [row for file in config_files(folder, config, SPLIT) for row in read_file(file)]
        for config in known.questions
    }
    match known.layout:
        case "triplets":
            goals = (Goal(config, known.questions[config], _triplets(records)) for config, records in rows.items())
            return Suite(name, triplets=(TripletTask(name, tuple(goals)),))
        case "pairs":
            return Suite(name, pairs=(PairTask(name, tuple(_pair(row) for row in rows[""])),))
        case "reranking":
            queries = tuple(Query(r.text("query"), r.texts("positive"), r.texts("negative")) for r in rows[""])
            return Suite(name, rerankings=(RerankingTask(name, known.questions[""], queries),))
        case "folds":
            folds = (_fold(name, i, known.questions[""], row) for i, row in enumerate(rows[""]))
            return Suite(name, clusterings=tuple(folds))
    tasks, notes = [], []
    for config, records in rows.items():
        texts, labels, left_out = labeled_texts(records, "text", "cluster")
        task = f"{name}/{config}" if config else name
        tasks.append(ClusteringTask(task, name, texts, labels, known.questions[config]))
        if left_out:
            notes.append(f"{task}: {left_out:,} rows have no text or no label, left out")
    return Suite(name, clusterings=tuple(tasks), notes=tuple(notes))


def _triplets(records: Sequence[Record]) -> tuple[Triplet, ...]:
    return tuple(
        Triplet(str(i), r.text("anchor"), r.text("positive"), r.text("negative")) for i, r in enumerate(records)
    )


def _pair(row: Record) -> Pair:
    return Pair(row.text("sentence1"), row.text("sentence2"), row.text("instruction"), row.number("score"))


def _fold(name: str, number: int, question: str, row: Record) -> ClusteringTask:
    texts, labels = row.texts("sentences"), tuple(str(label) for label in row.cells.get("labels") or ())
    if len(texts) != len(labels):
        raise row.error(f"{len(texts):,} sentences but {len(labels):,} labels")
    kept = [i for i, text in enumerate(texts) if text]
    return ClusteringTask(
        name=f"{name}/{number}",
        corpus=f"{name}/{number}",
        texts=tuple(texts[i] for i in kept),
        labels=tuple(labels[i] for i in kept),
        instruction=question,
    )


def _snapshot(repository: str, revision: str, *, offline: bool) -> Path:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

    offline = offline or constants.HF_HUB_OFFLINE
    patterns = [
        f"*{suffix}{packed}" for suffix in (".parquet", ".jsonl", ".json", ".csv") for packed in ("", ".gz")
    ]
    try:
        return Path(
            snapshot_download(
                repository,
                repo_type="dataset",
                revision=revision,
                allow_patterns=[*patterns, "README.md"],
                local_files_only=offline,
            )
        )
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise ModelError(f"the Hugging Face hub has no dataset {repository} at {revision}") from error
    except (LocalEntryNotFoundError, OSError, ValueError) as error:
        why = "it is not in the local cache" + ("" if offline else " and the hub is out of reach")
        raise ModelError(
            f"cannot get the dataset {repository}: {why}",
            hint="go online once, or evaluate a local folder (docs/evaluate.md)",
        ) from error


def _with_wordings(suite: Suite, path: Path) -> Suite:
    """Add the questions for robustness to each task.

    The file has the layout of the reference code's task descriptions, where a configuration is part of the name:
    NYTTopicClustering instead of NYTClustering/topic.
    """
    try:
        known: Any = json.loads(path.read_text(encoding="utf-8"))
        tasks = tuple(_add_wordings(task, known) for task in suite.clusterings)
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise InputError(f"is not a JSON object of questions by task: {error}", source=str(path)) from error
    return replace(suite, clusterings=tasks)


def _add_wordings(task: ClusteringTask, known: dict[str, Any]) -> ClusteringTask:
    set_name, _, config = task.name.partition("/")
    other = re.sub("Clustering$", f"{config.title()}Clustering", set_name)
    entry = known.get(task.name) or known.get(other) or {}
    return replace(
        task,
        paraphrases=tuple(entry.get("correct_instructions", ())),
        implicit=tuple(entry.get("implicit_instructions", ())),
        incorrect=tuple(entry.get("incorrect_instructions", ())),
    )


def unknown_suite(name: str) -> InputError:
    """Return the error for a name that is neither a folder, a file nor a set.

    :param name: what the user gave.
    :return: the error, with a hint.
    """
    names = [*GROUPS, *SETS]
    return InputError(
        f'no such folder, file or set "{name}"',
        hint=f"{did_you_mean(name, names)}sets: {', '.join(names)}",
    )
