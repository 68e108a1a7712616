"""A pool in S3, as moto plays it, on a cluster of two nodes: the labels of files here, and no copy."""

import time
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("s3fs")
pytest.importorskip("moto")

from salutary.labeling.on_ray import cluster as clusters
from salutary.system import remote

from .ray_tables import label, same

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # Ray's and S3's own


@pytest.fixture
def bucket(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-moto")
    from fsspec import filesystem
    from moto.server import ThreadedMotoServer

    played = ThreadedMotoServer(port=0)
    played.start()
    host, port = played.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    system = filesystem("s3", skip_instance_cache=True)
    system.makedirs("bucket", exist_ok=True)
    yield system
    played.stop()


@pytest.fixture
def two_nodes(bucket):
    import ray
    from ray.cluster_utils import Cluster

    clusters.require_ray()
    ray.shutdown()
    node = {"num_cpus": 1, "object_store_memory": 2**27}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    yield
    ray.shutdown()
    cluster.shutdown()


def test_a_pool_in_s3_is_read_where_it_is(bucket, pool_tables, two_nodes, tmp_path):
    bucket.put("parts/", "bucket/pool/", recursive=True)
    expected = label("pool=parts", "id=key")
    for encode in ("once", "each_round"):
        same(label("pool=s3://bucket/pool/", "id=key", "backend=ray", f"encode={encode}"), expected)
    assert not [*Path(tmp_path / "cache").rglob("*.parquet")]
    first = remote.noted("s3://bucket/pool/").stat().st_mtime_ns
    time.sleep(0.01)
    assert remote.noted("s3://bucket/pool/").stat().st_mtime_ns == first
    bucket.rm("bucket/pool/2.parquet")
    assert remote.noted("s3://bucket/pool/").stat().st_mtime_ns != first
