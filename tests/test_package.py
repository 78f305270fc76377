"""What people install: the wheel, the source distribution, the Dockerfile, the citation."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import yaml

from inbedder_cli import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_dockerfile_follows_hadolints_rules():
    hadolint = shutil.which("hadolint", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    assert hadolint, "pip install -e '.[dev]' brings hadolint"
    done = subprocess.run([hadolint, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_copies_what_is_there_and_installs_the_pinned_torch():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    for line in re.findall(r"^COPY (.+) \S+$", text, re.M):
        for name in line.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in ignored
    (pinned,) = re.findall(r"torch==\S+", text)
    assert f"{pinned.rstrip(';')}\n" in (ROOT / "constraints.txt").read_text(encoding="utf-8")
    extras = re.findall(r"'\.\[(.+)\]'", text)[0].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda p: p.name)
def test_templates_of_issues_have_what_a_forge_asks_for(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.name != "config.yml":
        assert {"name", "description", "body"} <= set(form)
        names = [field["id"] for field in form["body"]]
        assert len(set(names)) == len(names)
        assert all(field["attributes"]["label"] for field in form["body"])


@pytest.mark.slow
def test_wheel_and_sdist_are_built_and_the_wheel_clusters_in_a_clean_environment(tiny, tmp_path):
    tools, dist = tmp_path / "tools", tmp_path / "dist"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "install", "--target", tools, *PROJECT["build-system"]["requires"]], check=True)
    build = [sys.executable, "-m", "hatchling", "build", "-d", dist]
    subprocess.run(build, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(tools)}, check=True)
    wheel, sdist = dist / f"inbedder-{__version__}-py3-none-any.whl", dist / f"inbedder-{__version__}.tar.gz"

    packed = zipfile.ZipFile(wheel).namelist()
    strangers = [n for n in packed if not n.startswith(("inbedder_cli/", f"inbedder-{__version__}.dist-info/"))]
    assert strangers == []
    tracked = subprocess.run(
        ["git", "ls-files", "inbedder_cli"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(tracked.stdout.split("\n")) - {""} <= set(packed)  # templates, scripts, adapters and all
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "docs/index.md",
        "tests/conftest.py",
    } <= names

    venv.create(tmp_path / "clean", with_pip=True)
    python = tmp_path / "clean" / "bin" / "python"
    install = ["-m", "pip", "--disable-pip-version-check", "-q", "install", "-c", ROOT / "constraints.txt", wheel]
    subprocess.run([python, *install], check=True)
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HOME": str(tmp_path)}
    program = python.with_name("inbedder")
    assert subprocess.check_output([program, "--version"], text=True, env=clean, cwd=tmp_path) == (
        f"inbedder {__version__}\n"
    )
    listed = subprocess.check_output([program, "models", "list", "-f", "csv"], text=True, env=clean, cwd=tmp_path)
    assert "\ninbedder-135m," in listed
    shutil.copy(ROOT / "sample_data" / "reviews.csv", tmp_path)
    command = [program, "cluster", "reviews.csv", "-i", "What emotion is expressed?", "-m", tiny, "--limit", "40"]
    command += ["-k", "3", "--min-confidence", "0", "--report", "report.html", "-o", "out.csv"]
    subprocess.run(command, env=clean, cwd=tmp_path, check=True)
    assert (tmp_path / "out.csv").read_text(encoding="utf-8").startswith("id,date,product")
    assert (tmp_path / "report.html").stat().st_size > 10_000
