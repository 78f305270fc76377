"""A real S3 server on this machine, and what goes wrong with one."""

from __future__ import annotations

import json
import socket
import threading

import pyarrow.parquet as pq
import pytest

from inbedder_cli.shards.stores import Store
from tests.shards.conftest import N_ROWS, QUESTION

BUCKET = "reviews"
moto = pytest.importorskip("moto.server", reason="needs moto[s3,server]")
pytestmark = pytest.mark.filterwarnings("ignore")


class FaultyProxy:
    """Passes requests on to the server; the next ones may be answered by 503, or cut after some bytes."""

    def __init__(self, port):
        self.target, self.faults, self.n_faults = port, [], 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(("127.0.0.1", self.target)) as server:
            up = threading.Thread(target=self._copy, args=(client, server), daemon=True)
            up.start()
            try:
                while block := server.recv(65536):
                    is_body = b"PAR1" in block or len(block) > 1000
                    if self.faults and is_body:
                        fault = self.faults.pop()
                        self.n_faults += 1
                        if fault == "503":
                            client.sendall(
                                b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                            )
                        else:
                            client.sendall(block[: len(block) // 2])
                        return
                    client.sendall(block)
            except OSError:
                return

    @staticmethod
    def _copy(source, target):
        try:
            while block := source.recv(65536):
                target.sendall(block)
        except OSError:
            pass

    def close(self):
        self.listener.close()


@pytest.fixture
def bucket(monkeypatch, reviews_folder):
    """A bucket with the input, behind a proxy."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    proxy = FaultyProxy(port)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{proxy.port}")
    import boto3

    client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{port}")
    client.create_bucket(Bucket=BUCKET)
    for path in reviews_folder.glob("*"):
        client.upload_file(str(path), BUCKET, f"in/{path.name}")
    yield client, proxy
    for item in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        client.delete_object(Bucket=BUCKET, Key=item["Key"])
    client.delete_bucket(Bucket=BUCKET)
    proxy.close()
    server.stop()


def planned(shards):
    fixed = ["-i", QUESTION, "-m", "toy:1", "--id", "id", "-o", "s3://reviews/work", "--rows-per-shard", "100"]
    shards("plan", "s3://reviews/in/*.parquet", *fixed)


def test_all_steps_through_a_bucket(shards, bucket):
    client, proxy = bucket
    planned(shards)
    proxy.faults += ["503", "cut", "503"]
    shards("run", "s3://reviews/work")
    assert proxy.n_faults == 3
    shards("fit", "s3://reviews/work", "-k", "3")
    proxy.faults += ["cut"]
    shards("assign", "s3://reviews/work", "-o", "s3://reviews/out")
    names = [item["Key"] for item in client.list_objects_v2(Bucket=BUCKET, Prefix="out/")["Contents"]]
    parts = [name for name in names if name.endswith(".parquet")]
    sizes = []
    for name in parts:
        with Store(f"s3://reviews/{name}").open() as stream:
            sizes.append(pq.read_table(stream).num_rows)
    assert sum(sizes) == N_ROWS
    state = json.loads(shards("status", "s3://reviews/work", "--json").stdout)
    assert (state["done"], state["failed"]) == (3, 0)


def test_a_vanished_object_is_named_and_the_others_go_on(shards, bucket):
    client, _ = bucket
    planned(shards)
    client.delete_object(Bucket=BUCKET, Key="in/2.parquet")
    assert "s3://reviews/in/2.parquet: no such file" in shards("run", "s3://reviews/work", code=4).stderr


def test_a_bucket_that_is_not_there_is_an_error(shards, bucket, toy):
    fixed = ["-i", QUESTION, "-m", "toy:1", "-o", "s3://reviews/work"]
    assert "no such file" in shards("plan", "s3://nowhere/in/*.parquet", *fixed, code=5).stderr
