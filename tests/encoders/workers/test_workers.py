"""Worker processes: the same rows as one process gives, whatever fails or dies, and no process that stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import joblib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inbedder_cli.encoders import backends, load_encoder
from inbedder_cli.encoders.cache.row_cache import RowCache
from inbedder_cli.encoders.encoded import Answer, EncodedText
from inbedder_cli.encoders.transformers.lazy_encoder import LazyEncoder
from inbedder_cli.encoders.workers import parallel_encoder, pool, worker_layout
from inbedder_cli.encoders.workers.messages import LENGTH, pack_rows, unpack_rows
from inbedder_cli.encoders.workers.parallel_encoder import ParallelEncoder
from inbedder_cli.encoders.workers.worker_layout import Layout, parse_devices
from inbedder_cli.errors import InbedderError, ModelError, UsageError
from inbedder_cli.models.memo import recall
from inbedder_cli.models.speed import last_speed, remember_speed, speed_of_process
from inbedder_cli.options import Dtype, EncodeOptions
from inbedder_cli.progress import SilentReporter
from tests.encoders.broken import BrokenEncoder
from tests.encoders.plain import QUESTION, TOLERANCE
from tests.fuzz.replay import SAID
from tests.fuzz.workers import TEXTS, hear_workers

ROOT = Path(__file__).parents[3]
OPTIONS = EncodeOptions(max_answer_tokens=3)
MANY_JOBS = EncodeOptions(batch_tokens=60)  # four texts or so each
posix = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


class Listener(SilentReporter):
    def __init__(self):
        self.warnings, self.infos, self.counts = [], [], []

    def warn(self, message):
        self.warnings.append(message)

    def info(self, message):
        self.infos.append(message)

    @contextmanager
    def task(self, *_, **__):
        yield lambda done, rows: self.counts.append(rows)


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Load the broken backend: `broken(workers=2)`; its workers end with the test."""
    monkeypatch.setitem(backends.encoder_backends._entries, "broken", BrokenEncoder)
    made = []

    def load(**settings):
        encoder = load_encoder(f"broken:{tmp_path}", **({"workers": 2, "cache": False} | settings))
        if settings.get("workers") != 1:
            made.append(encoder)
        return encoder

    yield load
    for encoder in made:
        (encoder if isinstance(encoder, ParallelEncoder) else encoder.encoder).close()


def texts_of(n, **special):
    """Return different texts, some of them special by number."""
    return [special.get(f"at_{i}", f"text {i} was {'very ' * (i % 7)}cold") for i in range(n)]


def test_several_processes_give_what_one_gives(tmp_path, tiny):
    texts = texts_of(150)
    texts.append(texts[0])

    def load(**settings):
        return load_encoder(tiny, device="cpu", dtype=Dtype.float32, **settings)

    expected = load(cache=False, workers=1).encode(texts, QUESTION, OPTIONS)
    encoder, listener = load(cache=RowCache(tmp_path / "rows.sqlite"), workers=2), Listener()
    found = encoder.encode(texts, QUESTION, OPTIONS, listener)
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=TOLERANCE)
    assert found.answers == expected.answers
    assert (found.n_unique, found.n_truncated) == (expected.n_unique, expected.n_truncated) == (150, 0)
    assert listener.counts[-1] == 150
    assert "encoding with 2 worker processes of 1 thread" in listener.infos[0]
    assert encoder.cache.info().rows == 150
    assert encoder.encoder.encoder._model is None
    pool = encoder.encoder._pool
    assert [worker.shares_weights for worker in pool._workers] == [True, True]
    encoder.encoder.close()
    assert not list(Path(os.environ["INBEDDER_CACHE"]).rglob("weights.safetensors"))


def test_shared_weights_are_the_same_weights(tmp_path, tiny, tiny_models):
    plain, mapped = (LazyEncoder(tiny, device="cpu", dtype="float32") for _ in range(2))
    expected = plain.encode(texts_of(20), QUESTION, OPTIONS)
    assert plain.write_weights(tmp_path / "weights.safetensors")
    mapped.map_weights(tmp_path / "weights.safetensors")
    for encoder in (plain, mapped):
        found = encoder.encode(texts_of(20), QUESTION, OPTIONS)
        np.testing.assert_array_equal(found.vectors, expected.vectors)
        assert found.answers == expected.answers
    other = LazyEncoder(str(tiny_models["llama"]), device="cpu", dtype="bfloat16")
    with pytest.raises(ValueError, match="holds another"):
        other.map_weights(tmp_path / "weights.safetensors")


@posix
def test_a_worker_that_dies_costs_nothing_but_time(broken, tmp_path):
    texts = texts_of(60, at_17="this dies once")
    expected = broken(workers=1).encode([t.replace("dies", "fires") for t in texts], QUESTION)
    listener = Listener()
    found = broken().encode(texts, QUESTION, MANY_JOBS, listener)
    assert (tmp_path / "died").exists()
    assert listener.warnings == []
    assert np.isfinite(found.vectors).all()
    rows = [i for i in range(60) if i != 17]
    np.testing.assert_array_equal(found.vectors[rows], expected.vectors[rows])


@posix
@pytest.mark.parametrize("fault", ["fails", "kills"])
def test_texts_at_fault_fail_by_name_and_no_others_do(broken, tmp_path, fault):
    texts = texts_of(40, at_17=f"this {fault}")
    encoder, listener = broken(cache=RowCache(tmp_path / "rows.sqlite")), Listener()
    found = encoder.encode(texts, QUESTION, MANY_JOBS, listener)
    assert np.flatnonzero(~np.isfinite(found.vectors).all(axis=1)).tolist() == [17]
    assert found.answers[16:19] == ["text", "", "text"]
    (warning,) = listener.warnings
    assert warning.startswith(f'1 texts could not be encoded ("this {fault}")')
    assert ("cannot encode" if fault == "fails" else "ended by signal 9") in warning
    assert encoder.cache.info().rows == 39


def test_an_error_of_usage_is_the_error(broken, monkeypatch):
    from tests.encoders.toy import ToyEncoder

    monkeypatch.setitem(backends.encoder_backends._entries, "toy", ToyEncoder)
    encoder = load_encoder("toy:x", workers=2, cache=False)
    with pytest.raises(UsageError, match="there is no layer 77") as caught:
        encoder.encode(texts_of(40), QUESTION, replace(MANY_JOBS, layer=77))
    assert caught.value.hint == "leave out --layer"
    assert encoder._pool._workers == [None, None]


def test_what_no_worker_can_load_is_an_error(broken, tmp_path):
    (tmp_path / "cannot load").touch()
    with pytest.raises(ModelError, match="these weights are damaged") as caught:
        broken().encode(texts_of(40), QUESTION, MANY_JOBS)
    assert caught.value.hint == "fetch them again"


def test_workers_that_cannot_start_are_an_error_with_their_last_words(broken, tmp_path):
    (tmp_path / "cannot start").touch()
    with pytest.raises(InbedderError, match="ended with exit code 1: no library here") as caught:
        broken().encode(texts_of(40), QUESTION, MANY_JOBS)
    assert "--workers 1" in caught.value.hint


def test_an_encoder_of_the_script_itself_is_not_sent_to_workers():
    def backend(reference, **_):
        return BrokenEncoder(reference)

    assert backends._importable(backend) is None
    assert backends._importable(BrokenEncoder) == "tests.encoders.broken:BrokenEncoder"


def test_no_worker_is_started_for_little_work(broken, monkeypatch):
    monkeypatch.setattr(parallel_encoder, "WorkerPool", None)  # starting one would fail
    assert len(broken(workers=None).encode(texts_of(100), QUESTION).vectors) == 100
    assert len(broken(workers=4).encode(texts_of(3), QUESTION).vectors) == 3


@posix
def test_a_race_decides_and_is_remembered(broken, monkeypatch):
    monkeypatch.setattr(parallel_encoder, "n_worth_starting", lambda model, n_texts: 99)
    monkeypatch.setattr(parallel_encoder, "n_cores", lambda: 4)
    encoder, used = broken(workers=None, dtype="float32"), []
    whole = parallel_encoder.WorkerPool.encode

    def noting(self, jobs, n_workers, threads, run):
        used.append((n_workers, threads))
        return whole(self, jobs, n_workers, threads, run)

    monkeypatch.setattr(parallel_encoder.WorkerPool, "encode", noting)
    found = encoder.encode(texts_of(240), QUESTION, MANY_JOBS)
    assert np.isfinite(found.vectors).all()
    *heats, winner = used
    assert heats == [(4, 1), (4, 1), (2, 2), (4, 1), (2, 2)]
    assert recall(worker_layout.race_key(encoder, 4)) == list(winner)
    used.clear()
    encoder.encode(texts_of(240), "Why?", MANY_JOBS)
    assert used == [winner]


def test_the_first_layout_wins_unless_another_is_faster_for_sure():
    assert worker_layout.fastest({Layout(4, 1): 100.0, Layout(2, 2): 105.0}) == Layout(4, 1)
    assert worker_layout.fastest({Layout(4, 1): 100.0, Layout(2, 2): 120.0}) == Layout(2, 2)


def test_a_system_that_allows_no_more_processes_is_told_or_works_with_fewer(broken, monkeypatch):
    from inbedder_cli.encoders.workers import pool

    started = []
    whole = pool.Worker

    def scarce(*arguments):
        if len(started) == most:
            raise OSError(11, "Resource temporarily unavailable")
        started.append(whole(*arguments))
        return started[-1]

    monkeypatch.setattr(pool, "Worker", scarce)
    most = 0
    with pytest.raises(InbedderError, match="cannot start a worker process: Resource temporarily") as caught:
        broken().encode(texts_of(40), QUESTION, MANY_JOBS)
    assert caught.value.hint == "try --workers 1"
    most = 1
    assert np.isfinite(broken().encode(texts_of(40), QUESTION, MANY_JOBS).vectors).all()


def test_more_workers_than_memory_are_warned_of(broken, monkeypatch):
    monkeypatch.setattr(worker_layout, "available_bytes", lambda: 1)
    listener = Listener()
    assert len(broken().encode(texts_of(40), QUESTION, MANY_JOBS, listener).vectors) == 40
    assert listener.warnings == ["2 workers may need more memory than is free; if they die, give fewer --workers"]


def test_workers_that_ended_between_two_questions_are_started_again(broken):
    encoder = broken()
    encoder.encode(texts_of(40), QUESTION, MANY_JOBS)
    before = [worker.process for worker in encoder._pool._workers]
    for process in before:
        process.kill()
        process.wait()
    assert np.isfinite(encoder.encode(texts_of(40), "Why?", MANY_JOBS).vectors).all()
    assert not set(before) & {worker.process for worker in encoder._pool._workers}


def test_memory_limits_the_workers(monkeypatch):
    monkeypatch.setattr(worker_layout, "available_bytes", lambda: 4_000_000_000)
    assert worker_layout.n_in_memory(0) == 4
    assert worker_layout.n_in_memory(1_000_000_000) == 1
    assert worker_layout.n_in_memory(100_000_000_000) == 1
    monkeypatch.setattr(worker_layout, "available_bytes", lambda: None)
    assert worker_layout.n_in_memory(0) is None


def test_layouts_of_machines(monkeypatch):
    assert worker_layout.candidates(1) == [Layout(1, 1)]
    assert worker_layout.candidates(2) == [Layout(2, 1), Layout(1, 2)]
    assert worker_layout.candidates(8) == [Layout(8, 1), Layout(4, 2)]
    assert worker_layout.n_cores() >= 1
    monkeypatch.setattr(joblib, "cpu_count", lambda **_: 8)
    for limit, cores in (("", 8), ("3", 3), ("3,1", 3), ("99", 8), ("0", 1), ("all", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", limit)
        assert worker_layout.n_cores() == cores
    assert worker_layout.available_bytes() is None or worker_layout.available_bytes() > 0


@pytest.mark.parametrize(
    ("given_as", "parsed"),
    [
        (None, []),
        ("cuda:0,cuda:1", ["cuda:0", "cuda:1"]),
        (["cuda:1"], ["cuda:1"]),
        (2, ["cuda:0", "cuda:1"]),
        ("2", ["cuda:0", "cuda:1"]),
    ],
)
def test_devices_are_parsed(given_as, parsed):
    assert parse_devices(given_as) == parsed


@pytest.mark.parametrize("wrong", ["cpu", "cuda", "cuda:0,", "cuda:0,cuda:0", 0, "0", 5000])
def test_devices_that_are_none_are_refused(wrong):
    with pytest.raises(UsageError):
        parse_devices(wrong)


def test_devices_exclude_a_device_and_workers(tiny):
    for other in ({"workers": 2}, {"device": "cpu"}):
        with pytest.raises(UsageError, match="--devices says where"):
            load_encoder(tiny, devices="cuda:0,cuda:1", **other)


words = st.text(max_size=5) | st.just("\ud800 alone")
probabilities = st.floats(0, 1, width=32)
answers = st.builds(Answer, words, probabilities, st.lists(st.tuples(words, probabilities), max_size=3).map(tuple))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(words, st.tuples(st.none() | answers, st.booleans()), min_size=1, max_size=4),
    st.integers(1, 3),
)
def test_rows_survive_the_pipe(rows, width):
    import msgspec

    rng = np.random.default_rng(len(rows))
    encoded = {
        text: EncodedText(rng.normal(size=width).astype(np.float32), answer, truncated)
        for text, (answer, truncated) in rows.items()
    }
    texts = [*encoded]
    message = pack_rows(encoded, {text: i for i, text in enumerate(texts)})
    back = unpack_rows(msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message)), texts)
    assert {text: row[1:] for text, row in back.items()} == {text: row[1:] for text, row in encoded.items()}
    for text, row in back.items():
        np.testing.assert_array_equal(row.vector, encoded[text].vector)


SCRIPT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what runs in the background
import sys, os
sys.path.insert(0, {root!r})
from inbedder_cli.encoders import backends, load_encoder
from inbedder_cli.options import EncodeOptions
from tests.encoders.broken import BrokenEncoder
open({folder!r} + "/ran", "a").write("once ")
backends.encoder_backends.register("broken", BrokenEncoder)
encoder = load_encoder("broken:" + {folder!r}, workers=2, cache=False)
found = encoder.encode([{word!r} + str(i) for i in range(40)], "What?", EncodeOptions(batch_tokens=60))
print(len(found.vectors))
"""


ROWS = {text: EncodedText(np.ones(4, np.float32), None, truncated=False) for text in TEXTS}
PLACES = {text: place for place, text in enumerate(TEXTS)}


@pytest.mark.parametrize("length", [2**32, 2**40, 2**63, 2**64 - 1])
def test_a_message_of_any_length_is_not_waited_for(tmp_path, monkeypatch, length):
    assert_that_workers_fail(tmp_path, monkeypatch, LENGTH.pack(length) + b"x")


@pytest.mark.parametrize(
    "changes", [{"places": [0, 1, 99]}, {"places": [-1, 0, 1]}, {"vectors": b"123"}, {"truncated": []}]
)
def test_rows_that_do_not_fit_the_texts_are_not_taken(tmp_path, monkeypatch, changes):
    import msgspec

    rows = msgspec.structs.replace(pack_rows(ROWS, PLACES), **changes)
    content = msgspec.msgpack.encode(rows)
    assert_that_workers_fail(tmp_path, monkeypatch, LENGTH.pack(len(content)) + content)


def assert_that_workers_fail(tmp_path, monkeypatch, said):
    """Check what comes of workers that say something else than an encoder does."""
    monkeypatch.chdir(tmp_path)
    Path(SAID).write_bytes(said)
    monkeypatch.setattr(pool, "MODULE", pool.MODULE)  # which the next line replaces
    with pytest.raises(InbedderError, match="a worker process ended"):
        hear_workers()


def run_script(tmp_path, word, **options):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(root=str(ROOT), folder=str(tmp_path), word=word))
    return subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, **options)


def test_a_script_without_a_guard_runs_once_and_imports_nothing_from_its_folder(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "msgspec.py").write_text("raise SystemExit('imported from the current folder')")
    script = run_script(tmp_path, "text ", cwd=folder)
    assert script.communicate(timeout=120)[0].split() == [b"40"]
    assert (tmp_path / "ran").read_text() == "once "


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_worker_outlives_its_parent(tmp_path, number):
    script = run_script(tmp_path, "hang ", stderr=subprocess.DEVNULL)
    try:
        pids = wait_for(lambda: [int(file.name.split()[1]) for file in tmp_path.glob("pid *")] * 1, at_least=2)
        assert all(is_alive(pid) for pid in pids)
        script.send_signal(number)
        script.wait(20)
        wait_for(lambda: [0] * (not any(is_alive(pid) for pid in pids)), at_least=1)
    finally:
        script.kill()
        script.wait()
        script.stdout.close()


def wait_for(found, at_least, seconds=60):
    end = time.monotonic() + seconds
    while len(values := found()) < at_least:
        assert time.monotonic() < end, f"only {values} after {seconds} s"
        time.sleep(0.05)
    return values


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_two_threads_that_share_workers_get_their_own_rows(tmp_path, tiny_models, monkeypatch):
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path))
    place = {"template": "paper", "device": "cpu", "dtype": "float32"}
    texts, questions = [f"text {i} of all" for i in range(60)], ["Question 0?", "Question 1?"]
    alone = load_encoder(tiny_models["llama"], workers=1, cache=False, **place)
    shared = load_encoder(tiny_models["llama"], workers=2, cache=False, **place)
    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda asked: shared.encode(texts, asked, MANY_JOBS).vectors, questions))
    shared.close()
    for asked, vectors in zip(questions, found, strict=True):
        np.testing.assert_allclose(vectors, alone.encode(texts, asked, MANY_JOBS).vectors, atol=TOLERANCE)


def test_a_second_iterator_of_one_thread_is_refused(tiny_models):
    encoder = load_encoder(tiny_models["llama"], workers=2, cache=False, device="cpu", dtype="float32")
    texts = [f"text {i} of all" for i in range(60)]
    first = encoder.encode_batches(texts, QUESTION, MANY_JOBS)
    next(first)
    with pytest.raises(InbedderError, match="at work on other texts"):
        list(encoder.encode_batches(texts, QUESTION, MANY_JOBS))
    assert sum(map(len, first)) < len(texts)
    encoder.close()


@pytest.mark.parametrize("n", [0, -1])
def test_fewer_workers_than_one_are_refused(tiny_models, n):
    with pytest.raises(UsageError, match="workers must be at least 1"):
        load_encoder(tiny_models["llama"], workers=n)


def test_the_speed_of_many_processes_is_not_taken_for_that_of_one(tmp_path, monkeypatch):
    monkeypatch.setenv("INBEDDER_CACHE", str(tmp_path))
    remember_speed("m", 15_000, 25, 16)
    assert last_speed("m") == 600
    assert speed_of_process("m") == 37.5
    before = worker_layout.n_worth_starting("m", 15_000)
    remember_speed("m", 15_000, 400, 1)
    assert worker_layout.n_worth_starting("m", 15_000) == before
