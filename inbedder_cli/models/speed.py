"""How fast models were on this machine, for `inbedder models list`."""

from __future__ import annotations

from inbedder_cli.models.memo import machine, recall, remember

MIN_ROWS = 50  # a shorter run mostly measures the start


def last_speed(model: str) -> float | None:
    """Return the texts per second of a model's last long enough run on this machine, or None.

    :param model: the reference that the user gave.
    """
    return recall(_key(model))  # type: ignore[no-any-return]


def speed_of_process(model: str) -> float | None:
    """Return the texts per second of one process in a model's last long enough run on this machine, or None.

    :param model: the reference that the user gave.
    """
    return recall(f"{_key(model)} one process")  # type: ignore[no-any-return]


def remember_speed(model: str, n_rows: int, seconds: float, n_processes: int = 1) -> None:
    """Store the speed of a run, and of each of its processes; runs of fewer than 50 texts do not count.

    :param model: the reference that the user gave.
    :param n_rows: number of texts that were encoded.
    :param seconds: time of encoding them, without loading the model.
    :param n_processes: that encoded at the same time.
    """
    if n_rows >= MIN_ROWS and seconds > 0:
        remember(_key(model), round(n_rows / seconds, 1))
        remember(f"{_key(model)} one process", round(n_rows / seconds / n_processes, 1))


def _key(model: str) -> str:
    return f"rows per second: {model} {machine()}"
