"""`inbedder env`: what a bug report needs to know about this machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from inbedder_cli.cli.console import TerminalReporter, print_line
from inbedder_cli.cli.user_settings import settings_files
from inbedder_cli.version import __version__

PACKAGES = (
    "torch transformers scikit-learn hdbscan numpy pandas pyarrow typer rich "
    "peft sentence-transformers openpyxl huggingface-hub"
).split()
HIDDEN_SIZE = 576  # of the default model: whether bfloat16 is fast depends on it
VARIABLES = ("HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TMPDIR")  # besides our own


def env() -> None:
    """Print versions, device, dtype, models, cache and settings: paste it into a bug report.

    Nothing is fetched, and no model is loaded. It holds paths, but no texts and no tokens.

    [bold]Examples[/bold]

    inbedder env
    """
    from inbedder_cli.encoders.cache.row_cache import RowCache
    from inbedder_cli.encoders.transformers.device import choose_device, choose_dtype
    from inbedder_cli.models.store import installed_models
    from inbedder_cli.options import Dtype
    from inbedder_cli.paths import models_dir

    _show("inbedder", __version__)
    _show("python", f"{platform.python_version()}, {sys.executable}")
    _show("platform", platform.platform())
    for package in PACKAGES:
        _show(package, _version(package))

    import torch

    device = choose_device()
    _show("device", torch.cuda.get_device_name(device) if device.type == "cuda" else device.type)
    _show("dtype", str(choose_dtype(Dtype.auto, device, HIDDEN_SIZE)).removeprefix("torch."))
    _show("threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")
    _show("models", f"{models_dir()}: {', '.join(folder.name for folder in installed_models()) or 'none'}")
    usage = RowCache(reporter=TerminalReporter(quiet=True)).info()
    _show("cache", f"{usage.path}: {usage.state}, {usage.bytes / 1e6:.1f} MB")
    _show("settings", ", ".join(str(path.absolute()) for path in settings_files() if path.exists()) or "none")
    for name in sorted(name for name in os.environ if name.startswith("INBEDDER_") or name in VARIABLES):
        _show(name, os.environ[name])


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _show(name: str, value: str) -> None:
    print_line(f"{name}\t{value}")
