from __future__ import annotations

import csv
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import inbedder_cli
from docs.tools.blocks import read_blocks
from docs.tools.options import PAGE as OPTIONS_PAGE
from docs.tools.options import options_page
from docs.tools.sandbox import prepare
from tests import gold
from tests.test_readme import commands

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "benchmarks", "sample_data", "recipes")
PAGES = [
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")),
    *(page for folder in FOLDERS for page in sorted((ROOT / folder).rglob("*.md"))),
]
COMMAND_LINE = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
PYTHON = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
FILES = (ROOT / "docs" / "files.md").read_text(encoding="utf-8")
TRUST = (ROOT / "docs" / "trust.md").read_text(encoding="utf-8")
# Without CHANGELOG.md, which also names what was renamed, and recipes, which name options of scripts.
PROSE = [page for page in PAGES if page.name != "CHANGELOG.md" and "recipes" not in page.parts]
# Of torchrun, pip, Ray, Slurm and sqlite-utils, and of benchmarks.
OTHERS_OPTIONS = set(
    "--nproc-per-node --no-index --find-links --head --array --gres --cpus-per-task --csv --pk --others".split()
) | {"--shards", "--whole", "--at-once"}
# Of scripts, and an old name.
OWN_OPTIONS = set(
    "--rows --embed --english --plain --lines --readout --through-command --threads --steps --size".split()
)
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
    if page.parent != ROOT / "docs":
        found -= OWN_OPTIONS
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
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.name == "index.md" or f"({page.relative_to(ROOT / 'docs')})" in index


def test_the_reference_of_options_is_that_of_the_command_line():
    assert OPTIONS_PAGE.read_text(encoding="utf-8") == options_page(), "run: make docs-reference"


def test_the_documentation_builds_without_a_warning(tmp_path):
    pytest.importorskip("sphinx")
    build = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-c", "docs", "-b", "html", ".", tmp_path]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    reference = (tmp_path / "docs" / "api.html").read_text(encoding="utf-8")
    for name in inbedder_cli.__all__:
        assert name == "__version__" or f'id="inbedder_cli.{name}"' in reference, name
    page = (tmp_path / "docs" / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//", page)  # it loads nothing


@pytest.fixture
def gold_encoder(monkeypatch):
    """Make an encoder without weights the default model: it answers with the gold columns of the sample data."""
    from inbedder_cli import InBedder, load_encoder
    from inbedder_cli.encoders import encoder_backends

    gold.register()
    monkeypatch.setattr(load_encoder, "__defaults__", (gold.REFERENCE,))
    monkeypatch.setitem(InBedder.__init__.__kwdefaults__, "model", gold.REFERENCE)
    monkeypatch.setenv("INBEDDER_MODEL", gold.REFERENCE)
    yield
    encoder_backends.unregister("gold")


@pytest.mark.filterwarnings("ignore:.*does the question fit")  # a few rows are read instead of the whole file
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


@pytest.mark.parametrize("page", ["README.md", "docs/scale.md"])
def test_the_python_of_other_pages_runs(page, gold_encoder, tmp_path, monkeypatch):
    prepare(tmp_path, ROWS)
    monkeypatch.chdir(tmp_path)
    blocks = [
        block for block in read_blocks((ROOT / page).read_text(encoding="utf-8")) if block.language == "python"
    ]
    assert blocks
    session: dict[str, object] = {"__name__": "docs"}
    for block in blocks:
        if "not-run" not in block.options:
            exec(compile(block.code, page, "exec"), session)


def test_the_notebook_runs_and_shows_what_its_cells_give(gold_encoder, tmp_path, monkeypatch):
    text = (ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8")
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] for cell in cells)
    assert str(ROOT) not in text
    prepare(tmp_path, ROWS)
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {"__name__": "docs"}
    for cell in cells:
        exec(compile("".join(cell["source"]), "docs/notebook.ipynb", "exec"), session)
    assert session["df"]["emotion_said"].eq("gratitude").sum() > 1


def test_no_other_page_has_python():
    pages = {named(page) for page in PAGES if "```python" in page.read_text(encoding="utf-8")}
    assert pages <= {"README.md", "docs/python.md", "docs/scale.md"}


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
    columns = clusters_table({name: result.summaries for name, result in analysis.results.items()}).column_names
    assert {key for key in found | set(columns) if f"`{key}`" not in FILES} == set()


def test_every_name_that_users_meet_is_in_the_reference():
    from inbedder_cli import InBedder, Pooling, RowStatus
    from inbedder_cli.output.tables import RESULT_COLUMNS

    assert [name for name in RESULT_COLUMNS if f"| `{name}` |" not in COMMAND_LINE] == []
    assert [status for status in RowStatus if f"`{status}`" not in COMMAND_LINE] == []
    assert [pooling for pooling in Pooling if f"`{pooling}`" not in TRUST] == []
    parameters = [name for name in inspect.signature(InBedder).parameters if name not in ("instruction", "text")]
    assert [name for name in parameters if f"`{name}`" not in PYTHON] == []
