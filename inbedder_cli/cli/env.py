"""`inbedder env`: what a bug report needs to know about this machine."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

import typer

from inbedder_cli.cli import parameters
from inbedder_cli.cli.console import print_values, stderr_reporter
from inbedder_cli.cli.option_groups import with_groups
from inbedder_cli.cli.user_settings import settings_files
from inbedder_cli.version import __version__

PACKAGES = (
    "torch transformers scikit-learn hdbscan numpy pandas pyarrow typer rich "
    "peft sentence-transformers openpyxl huggingface-hub"
).split()
HIDDEN_SIZE = 576  # of the default model: whether bfloat16 is fast depends on it
VARIABLES = ("HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TMPDIR")  # besides our own


@with_groups
def env(ctx: typer.Context, as_json: parameters.AsJson = False) -> None:
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

    values = {"inbedder": __version__, "python": f"{platform.python_version()}, {sys.executable}"}
    values["platform"] = platform.platform()
    values |= {package: _version(package) for package in PACKAGES}

    import torch

    chosen = (ctx.find_root().default_map or {}).get("cluster", {})  # by settings
    device = choose_device(chosen.get("device", "auto"))
    values["device"] = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    values["dtype"] = str(choose_dtype(Dtype(chosen.get("dtype", "auto")), device, HIDDEN_SIZE)).removeprefix(
        "torch."
    )
    values["threads"] = f"{torch.get_num_threads()} of {os.cpu_count()} cores"
    values["models"] = f"{models_dir()}: {', '.join(folder.name for folder in installed_models()) or 'none'}"
    usage = RowCache(reporter=stderr_reporter(quiet=True)).info()
    values["cache"] = f"{usage.path}: {usage.state}, {usage.bytes / 1e6:.1f} MB"
    files = [path.absolute() for path in settings_files() if os.path.exists(path)]  # noqa: PTH110 (never raises)
    values["settings"] = ", ".join(map(str, files)) or "none"
    names = (name for name in os.environ if name.startswith("INBEDDER_") or name in VARIABLES)
    print_values(values | {name: os.environ[name] for name in sorted(names)}, as_json=as_json)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
