"""Parse durations and sizes as people write them: 30d, 2GB."""

from __future__ import annotations

import re

from inbedder_cli.errors import UsageError

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
MAX_AMOUNT = 10**15  # seconds or bytes


def parse_seconds(option: str, value: str) -> float:
    """Return a duration in seconds.

    :param option: its name, for messages.
    :param value: such as 30d, 12h or 2w.
    :raises UsageError: for anything else.
    """
    return _parse(option, value, SECONDS, "30d, 12h or 2w")


def parse_bytes(option: str, value: str) -> int:
    """Return a size in bytes.

    :param option: its name, for messages.
    :param value: such as 500MB or 2GB.
    :raises UsageError: for anything else.
    """
    return int(_parse(option, value.lower().removesuffix("b"), BYTES, "500MB or 2GB"))


def _parse(option: str, value: str, units: dict[str, int], example: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]?)", value.strip().lower())
    if match is None or match[2] not in units:
        raise UsageError(f'cannot parse {option} "{value}"', hint=f"for example {example}")
    amount = float(match[1]) * units[match[2]]
    if amount > MAX_AMOUNT:
        largest = max(units, key=lambda unit: units[unit])
        raise UsageError(f"{option} must be at most {MAX_AMOUNT // units[largest]}{largest}, not {value}")
    return amount
