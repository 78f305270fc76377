from __future__ import annotations

import csv
import inspect
import re
from pathlib import Path

import numpy as np
import pytest

from tests.test_readme import commands

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "benchmarks", "sample_data")
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(p for f in FOLDERS for p in sorted((ROOT / f).glob("*.md")))]
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
FILES = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
TRUST = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
PROSE = [page for page in PAGES if page.name != "CHANGELOG.md"]  # which also names what was renamed
OTHERS_OPTIONS = {
    "--nproc-per-node",
    "--head",
    "--array",
    "--gres",
    "--cpus-per-task",
}  # of torchrun, Ray and Slurm
ROWS = 60


def named(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(scope="module")
def options() -> set[str]:
    """Every option of every command."""
    from typer.main import get_command

    from inbedder_cli.cli import app

    found, groups = set(), [get_command(app)]
    for command in groups:
        groups += getattr(command, "commands", {}).values()
        for parameter in command.params:
            found |= {*parameter.opts, *parameter.secondary_opts}
    return found | {"--help"}


@pytest.mark.parametrize("command", commands())
def test_every_command_is_in_the_reference(command):
    assert f"`inbedder {command}`" in COMMAND_LINE


@pytest.mark.parametrize("page", PROSE, ids=named)
def test_every_option_that_a_page_names_exists(page, options):
    found = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page.read_text(encoding="utf-8")))
    if page.parent.name == "benchmarks":
        found -= {"--rows", "--embed", "--plain", "--lines", "--readout"}  # of scripts, and one by its old name
    assert found - OTHERS_OPTIONS <= options


def test_the_options_of_clustering_are_all_in_the_reference(inbedder):
    shared = {"--help", "--answers", "--force"}
    for command in ("cluster", "tune", "compare", "embed", "answer", "show", "assign", "verify"):
        shown = set(re.findall(r"--[a-z][a-z-]+", inbedder(command, "--help").stdout))
        missing = {o for o in shown - shared if not re.search(rf"{o}(?![\w-])", COMMAND_LINE)}
        # Of a pair such as --cache and --no-cache one is enough.
        pairs = {o: "--" + o.removeprefix("--no-") if o.startswith("--no-") else "--no-" + o[2:] for o in missing}
        assert not {o for o in missing if pairs[o] not in COMMAND_LINE}, command


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_relative_link_leads_to_a_file_and_a_heading(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index


@pytest.fixture
def gold_encoder(monkeypatch):
    """Make an encoder without weights the default model: it answers with the gold columns of the sample data."""
    from inbedder_cli import InBedder, load_encoder
    from inbedder_cli.encoders import BaseEncoder, EncodedText, encoder_backends
    from inbedder_cli.encoders.encoded import Answer

    with (ROOT / "sample_data" / "reviews.csv").open(encoding="utf-8", newline="") as file:
        gold = {row["text"].strip(): row for row in csv.DictReader(file)}

    class GoldEncoder(BaseEncoder):
        name = identity = "gold"
        hidden_size = 16

        def __init__(self, reference, **_):
            pass

        def encode_batches(self, texts, instruction, options=None, reporter=None, known=()):
            column = "product" if "product" in instruction else "emotion"
            rng = np.random.default_rng(0)
            for text in texts:
                answer = gold.get(text, {}).get(column, "neutral")
                vector = np.random.default_rng(sum(answer.encode())).normal(size=self.hidden_size)
                noisy = (vector + 0.3 * rng.normal(size=self.hidden_size)).astype(np.float32)
                yield {text: EncodedText(noisy, Answer(answer, 0.9, ((answer, 0.9),)), truncated=False)}

    encoder_backends.register("gold", GoldEncoder)
    monkeypatch.setattr(load_encoder, "__defaults__", ("gold:",))
    monkeypatch.setitem(InBedder.__init__.__kwdefaults__, "model", "gold:")
    yield
    encoder_backends.unregister("gold")


def test_the_python_of_the_docs_runs(gold_encoder, tmp_path, monkeypatch, capsys):
    from inbedder_cli.encoders import encoder_backends
    from inbedder_cli.output.formats import FORMATS
    from inbedder_cli.registry import algorithms

    lines = (ROOT / "sample_data" / "reviews.csv").read_text(encoding="utf-8")
    rows = list(csv.reader(lines.splitlines(keepends=True)))[: ROWS + 1]
    (tmp_path / "sample_data").mkdir()
    with (tmp_path / "sample_data" / "reviews.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```", PYTHON, re.S | re.M)
    assert len(blocks) >= 9
    session: dict[str, object] = {"__name__": "docs"}
    try:
        for block in blocks:
            exec(compile(block, "docs/python.md", "exec"), session)
        assert "ward" in algorithms
        assert "psv" in FORMATS
    finally:
        algorithms.unregister("ward")
        FORMATS.unregister("psv")
        encoder_backends.unregister("words")
    assert "gratitude" in capsys.readouterr().out
    assert (tmp_path / "emotions" / "run.json").is_file()


def keys_of(document) -> set[str]:
    """All keys of a JSON document, at any depth."""
    if isinstance(document, list):
        return set().union(*map(keys_of, document))
    if isinstance(document, dict):
        return set(document).union(*map(keys_of, document.values()))
    return set()


def test_every_key_of_the_json_documents_is_in_the_reference(gold_encoder):
    from inbedder_cli import ClusterOptions, analyze, load_encoder, read_corpus
    from inbedder_cli.output.documents import results_document
    from inbedder_cli.output.tables import clusters_table

    corpus = read_corpus(str(ROOT / "sample_data" / "reviews.csv"), limit=ROWS)
    options = ClusterOptions(k_max=6)
    questions = ("What emotion is expressed?", "Which product is it about?")
    encoder = load_encoder(cache=False)
    analysis = analyze(corpus, questions, encoder, cluster_options=options, by=["rating"])
    document = results_document(analysis.results, analysis.model, analysis.crosstabs)
    statuses = keys_of([question["rows"] for question in document["questions"].values()]) - {"total"}
    found = keys_of(document) - set(analysis.results) - statuses
    assert {"k_selection", "crosstabs", "phrases", "likely_next_words"} <= found
    assert {
        key for key in found | set(clusters_table(analysis.results).column_names) if f"`{key}`" not in FILES
    } == set()


def test_every_name_that_users_meet_is_in_the_reference():
    from inbedder_cli import InBedder, Pooling, RowStatus
    from inbedder_cli.output.tables import RESULT_COLUMNS

    assert [name for name in RESULT_COLUMNS if f"| `{name}` |" not in COMMAND_LINE] == []
    assert [status for status in RowStatus if f"`{status}`" not in COMMAND_LINE] == []
    assert [pooling for pooling in Pooling if f"`{pooling}`" not in TRUST] == []
    parameters = [name for name in inspect.signature(InBedder).parameters if name not in ("instruction", "text")]
    assert [name for name in parameters if f"`{name}`" not in PYTHON] == []
