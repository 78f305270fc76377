"""Whatever bytes of the cache change, a run gives what it gives without a cache, and the cache mends itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders.cache.cached_encoder import CachedEncoder
from inbedder_cli.encoders.cache.row_cache import RowCache
from inbedder_cli.errors import InbedderError
from tests.encoders.plain import QUESTION
from tests.encoders.toy import ToyEncoder

pytestmark = pytest.mark.filterwarnings("ignore:.*cache")

TEXTS = [f"text {i} was {'very ' * (i % 7)}cold" for i in range(60)]
SIZE = 28_672  # of the file with these texts: seven pages
PAGE = 4096
place = st.integers(0, SIZE - 1)
bytes_at = st.lists(st.tuples(place, st.integers(1, 255)), max_size=30).map(lambda found: ("flip", found))
header_at = st.tuples(st.integers(0, 119), st.integers(1, 255)).map(lambda found: ("flip", [found]))
cut_at = place.map(lambda end: ("cut", end))
block_at = st.tuples(place, st.binary(min_size=1, max_size=600)).map(lambda found: ("block", found))
swap_at = st.tuples(*[st.integers(0, SIZE // PAGE - 1)] * 2).map(lambda pages: ("swap", pages))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of a cache with all texts, and what its texts give without a cache."""
    cache = RowCache(tmp_path_factory.mktemp("whole") / "rows.sqlite")
    encoded = CachedEncoder(ToyEncoder("x"), cache).encode(TEXTS, QUESTION)
    cache._close()
    content = cache.path.read_bytes()
    assert len(content) == SIZE
    return content, encoded


def damaged(content, damage):
    kind, what = damage
    changed = bytearray(content)
    match kind:
        case "flip":
            for position, change in what:
                changed[position] ^= change
        case "cut":
            del changed[what:]
        case "block":
            position, block = what
            changed[position : position + len(block)] = block[: SIZE - position]
        case "swap":
            one, other = (slice(page * PAGE, (page + 1) * PAGE) for page in what)
            changed[one], changed[other] = changed[other], changed[one]
    return bytes(changed)


def encode(path):
    encoder = CachedEncoder(ToyEncoder("x"), RowCache(path))
    encoded = encoder.encode(TEXTS, QUESTION)
    encoder.cache._close()
    return encoded, encoder.encoder.n_encoded


@settings(deadline=None, max_examples=60)
@given(st.one_of(bytes_at, header_at, cut_at, block_at, swap_at))
@example(("flip", [(18, 1)]))  # may not be written
@example(("flip", [(60 + 3, 1)]))  # made by an earlier version
@example(("cut", 0))
def test_no_damage_changes_a_result_or_stays(whole, tmp_path_factory, damage):
    content, expected = whole
    path = tmp_path_factory.mktemp("damaged") / "rows.sqlite"
    path.touch(0o600)
    path.write_bytes(damaged(content, damage))
    RowCache(path).info()
    for _ in range(4):
        encoded, n_encoded = encode(path)
        np.testing.assert_array_equal(encoded.vectors, expected.vectors)
        assert encoded.answers == expected.answers
        np.testing.assert_array_equal(encoded.confidences, expected.confidences)
        assert list(encoded.next_words.words) == list(expected.next_words.words)
        assert encoded.n_truncated == expected.n_truncated
    assert n_encoded == 0
    try:
        RowCache(path).prune(max_bytes=5000)
    except InbedderError as error:
        assert "cannot prune the cache" in str(error)
    RowCache(path).clear()
    assert not list(path.parent.iterdir())
