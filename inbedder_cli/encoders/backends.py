"""Registry of encoder backends, and `load_encoder`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inbedder_cli.encoders.base import BaseEncoder, Encoder, ModelRecord
from inbedder_cli.encoders.workers.worker_layout import parse_devices
from inbedder_cli.errors import ModelError, UsageError
from inbedder_cli.options import DEFAULT_MODEL, GPU_MODEL, Dtype
from inbedder_cli.parameter_types import check_types
from inbedder_cli.paths import expand
from inbedder_cli.progress import SILENT
from inbedder_cli.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from inbedder_cli.encoders.cache.row_cache import RowCache
    from inbedder_cli.progress import Reporter

TRANSFORMERS = "transformers"

# A backend is a function (reference, *, template, device, dtype, offline, reporter) -> Encoder. It should load the
# model when the first text is encoded, so that a run with all texts cached does not load it.
Backend = Callable[..., Encoder]
encoder_backends: Registry[Backend] = Registry(
    "encoder backend", {TRANSFORMERS: "inbedder_cli.encoders.transformers.lazy_encoder:LazyEncoder"}
)


def load_recorded(record: ModelRecord, whose: str, hint: str, **options: Any) -> Encoder:  # noqa: ANN401
    """Return the encoder of a record, as `load_encoder` does, if it is still the same model.

    :param record: how it was loaded.
    :param whose: what it belongs to, for the message: "is not the model that made emotions".
    :param hint: what to do about another model.
    :param **options: of `load_encoder`, beside model, template and dtype.
    :raises ModelError: when this machine has another model by that name.
    """
    encoder = load_encoder(record.reference, template=record.template, dtype=record.dtype, **options)
    if encoder.identity != record.identity:
        raise ModelError(f"{record.reference} is not the model {whose}", hint=hint)
    return encoder


def load_encoder(
    model: str | Path | None = None,
    *,
    template: str | None = None,
    device: str = "auto",
    dtype: Dtype | str = Dtype.auto,
    offline: bool = False,
    cache: bool | RowCache = True,
    refresh: bool = False,
    workers: int | None = None,
    devices: str | int | Sequence[str] | None = None,
    reporter: Reporter = SILENT,
) -> Encoder:
    """Return the encoder of a model reference. The weights are loaded when the first text is encoded.

    :param model: a bundled name, a folder, a GGUF file, or a Hugging Face id with an optional @revision;
        "NAME:REFERENCE" selects the registered backend NAME. None takes `default_model(device)`.
    :param template: prompt template by name, or as a pattern with {text} and {instruction}; None takes the
        model's own.
    :param device: auto, cpu, cuda, cuda:N or mps.
    :param dtype: dtype of the model; auto takes bfloat16 where it is fast.
    :param offline: never use the network.
    :param cache: whether vectors and answers are cached on this machine, or the cache to use.
    :param refresh: encode all texts again and replace what is cached.
    :param workers: number of processes that encode; None chooses it on a CPU by its cores, the memory, and what
        there is to do, and takes this process on a GPU.
    :param devices: GPUs that encode with a process each: "cuda:0,cuda:1", a list of such names, or a number N for
        the first N.
    :param reporter: receives progress and warnings.
    :return: an encoder, which looks into the cache first unless `cache` is False.
    :raises ModelError: when the model cannot be found, fetched or verified.
    :raises UsageError: for an unknown device or dtype, or for devices together with a device or workers.
    """
    plain = {"template": template, "device": device, "offline": offline, "refresh": refresh, "workers": workers}
    check_types(load_encoder.__annotations__, plain)
    if isinstance(cache, (str, int, type(None))) and not isinstance(cache, bool):
        raise UsageError(f"cache must be True, False or a RowCache, not {cache!r}")
    if workers is not None and workers < 1:
        raise UsageError(f"workers must be at least 1, not {workers}")
    gpus = parse_devices(devices)
    if gpus:
        if device != "auto" or workers is not None:
            raise UsageError(
                "--devices says where workers run, and how many", hint="leave out --device and --workers"
            )
        device = gpus[0]
    if model is None:
        model = default_model(device)
    if not isinstance(model, (str, Path)):
        raise UsageError(f"model must be a name or a folder, not {model!r}")
    model = str(model)
    name, colon, rest = model.partition(":")
    backend, reference = (name, rest) if colon and name in encoder_backends else (TRANSFORMERS, model)
    chosen = Dtype(dtype)
    load = encoder_backends[backend]
    settings = {"template": template, "device": device, "dtype": str(chosen), "offline": offline}
    encoder = load(reference, **settings, reporter=reporter)
    if isinstance(encoder, BaseEncoder):
        path = expand(model)
        encoder.loaded_as = (str(path.resolve()) if path.exists() else model, template, str(chosen))
    if workers != 1 and len(gpus) != 1 and (place := _importable(load)):
        from inbedder_cli.encoders.workers.messages import Start
        from inbedder_cli.encoders.workers.parallel_encoder import ParallelEncoder

        encoder = ParallelEncoder(encoder, Start(place, reference, settings), workers, gpus)
    if cache is False:
        return encoder
    from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
    from inbedder_cli.encoders.cache.row_cache import RowCache

    rows = RowCache(reporter=reporter) if cache is True else cache
    return CachedEncoder(encoder, rows, refresh=refresh)


def _importable(backend: Backend) -> str | None:
    """Return where a worker finds a backend; None for one of the user's script, or one made by a function."""
    module, name = getattr(backend, "__module__", "__main__"), getattr(backend, "__qualname__", "<lambda>")
    return None if module == "__main__" or "<" in name else f"{module}:{name}"


def default_model(device: str = "auto") -> str:
    """Return the model that is used when none is named: `GPU_MODEL` on a GPU if it is on the machine.

    :param device: auto, cpu, cuda, cuda:N or mps.
    :return: the name of a bundled model.
    :raises UsageError: for an unknown device.
    :raises ModelError: for a device that this machine does not have.
    """
    from inbedder_cli.encoders.transformers.device import choose_device, has_gpu_driver
    from inbedder_cli.models.manifest import bundled_manifests
    from inbedder_cli.models.store import base_folder

    if device == "cpu" or not base_folder(bundled_manifests()[GPU_MODEL]).is_dir():
        return DEFAULT_MODEL
    if device == "auto" and not has_gpu_driver():
        return DEFAULT_MODEL
    return DEFAULT_MODEL if choose_device(device).type == "cpu" else GPU_MODEL
