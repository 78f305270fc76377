"""One cell's value as text and as JSON."""

from __future__ import annotations

import base64
import datetime
import json
import math
from typing import Any


def value_as_text(value: Any) -> str:  # noqa: ANN401
    """Return a cell for people and CSV: null is "", truth values and nested values are JSON."""
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
    """Return a cell as JSON; what JSON does not know becomes a string, and a number that is none, null."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, default=value_as_text)
        text.encode()
    except UnicodeEncodeError:  # half a surrogate pair: only its escape can be written
        return json.dumps(value, allow_nan=False, default=value_as_text)
    except ValueError:
        return value_as_json(_finite(value))
    return text


def _finite(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value
