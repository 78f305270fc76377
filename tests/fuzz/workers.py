"""What worker processes say to the program: damaged messages, and the pool that reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hypothesis import strategies as st

from tests.fuzz import mutations as m
from tests.fuzz.cases import QUESTION, Case
from tests.fuzz.replay import SAID

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.strategies import SearchStrategy

TEXTS = ["cold room", "kind staff", "a\ud800b"]
IDENTITY, DTYPE = "toy", "float32"
VALUES = [
    b"",
    b"\xff",
    b"\0" * 7,
    [0],
    [0, 0, 0],
    [-1, 1, 9],
    [2**40] * 3,
    [None] * 3,
    [[b"a", 2.0, [[b"b"]]]] * 3,
]
VALUES += ["InbedderError", "annotations", "TYPE_CHECKING", "UsageError", "\x1b[2J\u202e", "Rows", "Done"]
LENGTHS = [0, 1, 2**20, 2**32, 2**40, 2**63, 2**64 - 1]


def worker_cases(_: Path) -> SearchStrategy[Case]:
    """Messages of a worker, of which some are changed, cut off, in another order, or of another length."""
    values = messages()
    one = st.integers(0, len(values) - 1).flatmap(
        lambda i: m.changed(values[i], ["type", "places", "vectors", "answers", "error"], VALUES)
    )
    length = st.one_of(*[st.none()] * 6, st.sampled_from(LENGTHS))
    message = st.one_of(st.builds(packed, one, length), st.sampled_from(values).map(packed))
    several = st.lists(message, min_size=1, max_size=4).map(b"".join)
    after = message.map(lambda other: packed(values[0]) + other + packed(values[2]))
    return st.one_of(several, after, m.damaged(whole())).map(lambda new: Case({SAID: new}))


def whole() -> bytes:
    """What a worker says that encodes `TEXTS`."""
    return b"".join(map(packed, messages()[:3]))


def messages() -> list[Any]:
    """What a worker may say, as plain values: first the three of one that encodes `TEXTS`."""
    import msgspec

    from inbedder_cli.encoders.encoded import Answer, EncodedText
    from inbedder_cli.encoders.workers.messages import Done, Failed, Loaded, Warned, pack_rows

    answer = Answer("cold", 0.9, (("cold", 0.75),))
    rows = {text: EncodedText(np.ones(4, np.float32), answer, truncated=False) for text in TEXTS}
    places = {text: i for i, text in enumerate(TEXTS)}
    said = [Loaded(IDENTITY, DTYPE), pack_rows(rows, places), Done()]
    said += [Failed("ModelError", "it is damaged", None), Warned("slow"), Loaded("other", "bfloat16")]
    return [msgspec.msgpack.decode(msgspec.msgpack.encode(one)) for one in said]


def packed(value: Any, length: int | None = None) -> bytes:
    """Return a message as a pipe has it.

    :param value: the message, as plain values.
    :param length: what it says of its length; None: the truth.
    """
    import msgspec

    from inbedder_cli.encoders.workers.messages import LENGTH

    try:
        content = msgspec.msgpack.encode(value)
    except (OverflowError, RecursionError, ValueError):  # numbers and depths that MessagePack has not
        content = b"\x91" * 3000 + b"\xc0"
    return LENGTH.pack(len(content) if length is None else length) + content


def hear_workers() -> None:
    """Encode texts in two processes that say what the file says."""
    from inbedder_cli.encoders.workers import pool as pool_module
    from inbedder_cli.encoders.workers.messages import Start
    from inbedder_cli.options import EncodeOptions
    from inbedder_cli.progress import SILENT

    pool_module.MODULE = "tests.fuzz.replay"
    pool = pool_module.WorkerPool([Start("none:none", "toy", {})] * 2, IDENTITY)
    run = pool_module.Run(QUESTION, EncodeOptions(), SILENT)
    for rows in pool.encode(iter([TEXTS]), 2, 1, run):
        assert set(rows) <= set(TEXTS)
        assert all(row.vector.dtype == np.float32 for row in rows.values())
    pool.close()
