"""The value of one cell: whether it is missing, and how it is shown as text and as JSON."""

from __future__ import annotations

import base64
import datetime
import json
import math
from typing import Any


def is_missing(value: Any) -> bool:  # noqa: ANN401
    """Return whether a value is missing, without importing pandas.

    :param value: any value of a list or a frame.
    :return: True for None, NaN, and NaT and NA of pandas.
    """
    if value is None or type(value).__name__ == "NAType":
        return True
    if isinstance(value, str) or hasattr(value, "__len__"):
        return False
    try:
        return bool(value != value)  # NaN and NaT alone are unequal to themselves
    except (TypeError, ValueError):
        return False


def replace_surrogates(text: str) -> str:
    r"""Replace halves of surrogate pairs, which UTF-8 and tokenizers refuse.

    :param text: any text.
    :return: the text, with "?" in their place.

    >>> replace_surrogates("caf\udce9")
    'caf?'
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def value_as_text(value: Any) -> str:  # noqa: ANN401
    """Return a cell as it is written to CSV and to tables.

    :param value: the cell.
    :return: "" for null, JSON for truth values and nested values, base64 for bytes, ISO 8601 for dates and times.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, list, dict)):
        return value_as_json(value)
    if isinstance(value, datetime.datetime):
        return value.isoformat(" ")
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


def value_as_json(value: Any) -> str:  # noqa: ANN401
    """Return a cell as JSON.

    :param value: the cell.
    :return: one JSON text; values of other types are strings in it, NaN and infinity are null.
    """
    try:
        text = ENCODER.encode(value)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair can only be written as an escape
        return json.dumps(value, allow_nan=False, default=value_as_text)
    except ValueError:
        return value_as_json(_finite(value))
    return text


ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=value_as_text)  # made once: it takes time


def _finite(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
