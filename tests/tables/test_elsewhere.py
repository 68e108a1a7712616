"""Files elsewhere: in fsspec's memory, on an HTTP server here, and in S3 as moto plays it."""

import contextlib
import http.server
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_files import write_folder
from spoilt_tables import LABEL, PARTS, part, with_changes

from salutary.datasets.own_table import OwnTable
from salutary.errors import SalutaryError
from salutary.experiments.contents import contents
from salutary.labeling import cli
from salutary.system import remote, urls
from salutary.tables.files import open_table
from salutary.tables.pictures import BadPicture, WithoutBad, located, upright
from salutary.tables.places import Place, files_of, identity, local_paths

fsspec = pytest.importorskip("fsspec")


@pytest.fixture(autouse=True)
def forgetful():
    """A process looks once for each file: here several play one after the other."""
    remote.fetched.cache_clear()
    yield
    remote.fetched.cache_clear()


@pytest.fixture
def memory():
    system = fsspec.filesystem("memory")
    yield system
    for path in system.ls("/", detail=False):
        system.rm(path, recursive=True)


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list = []

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.asked.append(self.path)
        if "secret" in self.path:
            self.send_error(403)
        elif "broken" in self.path:
            self.send_error(500)
        else:
            super().do_GET()

    do_HEAD = do_GET

    def send_head(self):
        self.path = self.path.partition("?")[0]
        return super().send_head()


@pytest.fixture
def server(tmp_path):
    pytest.importorskip("aiohttp")
    folder = tmp_path / "served"
    folder.mkdir()
    Handler.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder)) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{found.server_port}"
        found.shutdown()
        thread.join()


def again(url):
    remote.fetched.cache_clear()
    return open_table(url).read()


def test_a_file_in_memory(memory, tmp_path):
    frame = part(0)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_parquet(tmp_path / "a.parquet", index=False)
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    for name in ("a.csv", "a.csv.gz", "a.parquet", "a.jsonl"):
        memory.put_file(str(tmp_path / name), f"/x/{name}")
        table = open_table(f"memory://x/{name}")
        assert table.path == f"memory://x/{name}"
        found = table.read()
        assert found["city"].tolist() == frame["city"].tolist()
        assert found["age"].astype(float).tolist() == frame["age"].tolist()


def test_the_copy_stays_as_long_as_the_file_does(memory):
    memory.pipe_file("/x/a.csv", b"a,b\n1,2\n")
    (first,) = files_of("memory://x/a.csv")
    before = first.stat().st_mtime_ns
    assert again("memory://x/a.csv")["a"].tolist() == ["1"] and first.stat().st_mtime_ns == before
    memory.pipe_file("/x/a.csv", b"a,b\n1,2\n")  # another file, which holds the same
    assert again("memory://x/a.csv")["a"].tolist() == ["1"] and first.stat().st_mtime_ns == before
    memory.pipe_file("/x/a.csv", b"a,b\n7,2\n")
    assert again("memory://x/a.csv")["a"].tolist() == ["7"] and first.stat().st_mtime_ns > before
    assert {each.name for each in first.parent.iterdir()} == {"a.csv", ".a.csv.version"}


def test_a_folder(memory):
    whole = part(0)
    for number, rows in enumerate((slice(0, 10), slice(10, 24))):
        with memory.open(f"/pool/city={number}/part.parquet", "wb") as file:
            whole[rows].drop(columns="city").to_parquet(file)
    memory.pipe_file("/pool/_SUCCESS", b"")
    memory.pipe_file("/pool/notes.txt", b"what this is")
    found = again("memory://pool")
    assert found["key"].tolist() == whole["key"].tolist()
    assert found["city"].tolist() == ["0"] * 10 + ["1"] * 14
    memory.rm("/pool/city=0/part.parquet")
    assert again("memory://pool")["key"].tolist() == whole["key"].tolist()[10:]


def test_parts_of_files_elsewhere(memory, tmp_path):
    pytest.importorskip("openpyxl")
    frame, E = part(0), np.arange(48, dtype=np.float32).reshape(24, 2)
    with pd.ExcelWriter(tmp_path / "a.xlsx") as book:
        frame[:3].to_excel(book, sheet_name="one", index=False)
        frame.to_excel(book, sheet_name="two", index=False)
    np.save(tmp_path / "a.npy", E)
    for name in ("a.xlsx", "a.npy"):
        memory.pipe_file(f"/{name}", (tmp_path / name).read_bytes())
    found = open_table(f"memory://a.xlsx#two+{tmp_path / 'a.npy'}").read()
    assert (
        found["key"].tolist() == frame["key"].tolist() and found["embedding_1"].tolist() == E[:, 1].tolist()
    )
    assert open_table("memory://a.xlsx+memory://a.npy").columns[-1] == "embedding_1"


def served(server):
    folder, url = server
    for name, frame in PARTS.items():
        frame.to_csv(folder / name, index=False)
    return url


def test_the_same_labels(server, salutary, tmp_path):
    url = served(server)
    found = {}
    for name, place in (("here", "{}"), ("there", f"{url}/{{}}?sig=abc")):
        files = {key: place.format(f"{key}.csv") for key in ("validation", "pool")}
        names = {
            "labeled": place.format("train.csv"),
            "validation": place.format("val.csv"),
            "pool": files["pool"],
        }
        arguments = with_changes(LABEL | {"id": "key", "output": f"{name}.csv"}, names)
        status, _, err = salutary(cli.main, "salutary-label", *arguments)
        assert status == 0, err
        found[name] = pd.read_csv(tmp_path / f"{name}.csv")
    pd.testing.assert_frame_equal(found["here"], found["there"])


def test_a_run_is_known_by_what_the_files_hold(memory, tmp_path):
    part(0).to_csv(tmp_path / "a.csv", index=False)
    memory.pipe_file("/a.csv", (tmp_path / "a.csv").read_bytes())
    target = f"{OwnTable.__module__}.{OwnTable.__qualname__}"
    settings = {"_target_": target, "target": "outcome"}
    here = contents(settings | {"path": str(tmp_path / "a.csv")})
    assert here == contents(settings | {"path": "memory://a.csv"}) and here["path"].startswith("sha256:")


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("gone.csv", "there is no {url}"),
        ("secret.csv", "{url} may not be read: "),
        ("broken.csv", "{url} cannot be read: "),
    ],
)
def test_what_a_server_refuses(place, line, server):
    url = f"{server[1]}/{place}"
    with pytest.raises(SalutaryError) as told:
        open_table(url)
    assert str(told.value).startswith(line.format(url=url)) and "\n" not in str(told.value)


def test_what_is_nowhere(memory):
    with pytest.raises(SalutaryError, match=r"^there is no memory://x/gone\.csv$"):
        open_table("memory://x/gone.csv")
    with pytest.raises(SalutaryError, match=r"^nowhere://a\.csv: nothing here reads nowhere://$"):
        open_table("nowhere://a.csv")
    with pytest.raises(SalutaryError, match=r"^http://127\.0\.0\.1:9/a\.csv cannot be read: "):
        pytest.importorskip("aiohttp")
        open_table("http://127.0.0.1:9/a.csv")


@pytest.mark.parametrize(("url", "extra"), [("gs://b/a.csv", "gs"), ("s3://b/a.csv", "s3")])
def test_the_extra_is_named(url, extra, monkeypatch):
    from fsspec.registry import _registry

    for package in ("gcsfs", "s3fs"):
        monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(_registry, extra, raising=False)  # where another test has used it
    with pytest.raises(
        SalutaryError, match=rf"a package is not installed: pip install 'salutary\[{extra}\]'"
    ):
        open_table(url)


@pytest.fixture
def bucket(monkeypatch):
    pytest.importorskip("s3fs")
    moto = pytest.importorskip("moto.server")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "for-moto")
    played = moto.ThreadedMotoServer(port=0)
    played.start()
    host, port = played.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    system = fsspec.filesystem("s3", skip_instance_cache=True)
    system.makedirs("bucket", exist_ok=True)  # what plays S3 keeps its buckets as long as the process
    yield system
    played.stop()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_s3(bucket, tmp_path):
    frame = part(0)
    frame.to_parquet(tmp_path / "a.parquet")
    bucket.put_file(str(tmp_path / "a.parquet"), "bucket/deep/a.parquet")
    bucket.put_file(str(tmp_path / "a.parquet"), "bucket/pool/b.parquet")
    for url in ("s3://bucket/deep/a.parquet", "s3://bucket/pool"):
        assert again(url)["key"].tolist() == frame["key"].tolist()
    with pytest.raises(SalutaryError, match=r"^there is no s3://bucket/gone\.csv$"):
        open_table("s3://bucket/gone.csv")
    with pytest.raises(SalutaryError, match=r"^there is no s3://no-bucket/gone\.csv$"):
        open_table("s3://no-bucket/gone.csv")


@pytest.mark.parametrize("protocol", ["file", "local"])
def test_a_local_file_by_a_url_is_the_file_itself(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"a": [1.5, 2.5]}).to_csv("my+data.csv", index=False)
    url = f"{protocol}://{tmp_path}/my+data.csv"
    assert open_table(url).read()["a"].tolist() == ["1.5", "2.5"]
    assert identity(url) == identity("my+data.csv")
    assert local_paths(url) == files_of(url) == [tmp_path / "my+data.csv"]


@pytest.mark.parametrize("role", ["validation", "pool"])
def test_no_file_serves_twice_by_another_name(salutary, tmp_path, monkeypatch, role):
    monkeypatch.chdir(tmp_path)
    for name, frame in PARTS.items():
        frame.to_csv(name, index=False)
    same = {role: f"file://{tmp_path}/train.csv"}
    answer = salutary(cli.main, "salutary-label", *with_changes(LABEL, same))
    assert "no row may serve twice" in str(answer)


def test_nothing_is_written_outside_the_copy_of_a_folder(memory, monkeypatch, tmp_path):
    """As names in a bucket allow."""
    memory.pipe("/bucket/dir/a.parquet", b"x")
    whole = type(memory).find
    bad = "/bucket/dir/../../../../evil.parquet"

    def find(self, path, **settings):
        return whole(self, path, **settings) | {bad: {"name": bad, "size": 1, "type": "file"}}

    monkeypatch.setattr(type(memory), "find", find)
    with pytest.raises(SalutaryError, match="leads out of the folder"):
        remote.fetched("memory://bucket/dir")


@pytest.mark.parametrize(
    "url, shown",
    [
        ("https://host/a.csv?sig=TOKEN", "https://host/a.csv"),
        ("ftp://user:SECRET@host/dir/a.csv", "ftp://host/dir/a.csv"),
        ("s3://KEY:SECRET@bucket/a.csv", "s3://bucket/a.csv"),
        ("s3://bucket/a@b.csv", "s3://bucket/a@b.csv"),
        ("http://u:SECRET@host/a.csv+http://u:SECRET@host/a.x", "http://host/a.csv+http://host/a.x"),
        ("data/a.csv?x", "data/a.csv?x"),
    ],
)
def test_what_is_secret_in_a_url_is_not_shown(url, shown):
    assert urls.public(url) == shown


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("path: https://u:S@h:1/a.csv?sig=S/S@&x=S\nn: 1", "path: https://h:1/a.csv\nn: 1"),
        (
            "- 'dataset.path=''http://h/x.csv?sig=S'',rounds=1'",
            "- 'dataset.path=''http://h/x.csv'',rounds=1'",
        ),
        ("s3://u:S@b/x@y?versionId=S a@b.c?d", "s3://b/x@y a@b.c?d"),
        ("http://u:S@h/a.csv?s=S+http://u:S@h/a.npy+b.npy", "http://h/a.csv+http://h/a.npy+b.npy"),
        ("http://u:S@h/a.csv+s3://u:S@h/a.npy?S", "http://h/a.csv+s3://h/a.npy"),
        ("http://u:p@S@h", "http://h"),
        ("file:///a@b/c?d=1 x: y@z?", "file:///a@b/c?d=1 x: y@z?"),
    ],
)
def test_a_text_keeps_no_secret_of_its_urls(text, kept):
    assert urls.without_secrets(text) == kept


def test_what_a_run_leaves_keeps_no_secret(server, salutary_run):
    folder, url = server
    part(0, 90).to_csv(folder / "rows.csv", index=False)
    path = f"dataset.path='{url.replace('://', '://u:SECRET@')}/rows.csv?sig=SECRET'"
    some = ("dataset=table", path, "dataset.target=outcome", "n_init=30", "rounds=1", "protocol=standard")
    status, out, err = salutary_run("-m", *some, "seed=0,1")
    assert status == 0, err
    left = [each for each in Path("outputs").rglob("*") if each.is_file()]
    assert len(left) > 10 and "SECRET" not in f"{out}{err}"
    assert not [str(each) for each in left if b"SECRET" in each.read_bytes()]
    lost = [each.replace("rows.csv", "none.csv") for each in some]
    for given in (("-m", *lost, "seed=0,1"), lost):
        status, out, err = salutary_run(*given)
        assert status and "none.csv" in err + out and "SECRET" not in f"{out}{err}"
    left = [each for each in Path("outputs").rglob("*") if each.is_file()]
    assert not [str(each) for each in left if b"SECRET" in each.read_bytes()]
    some = [each.replace("sig=SECRET", "sig=OTHER") for each in some]
    assert "2 finished before" in salutary_run("-m", *some, "seed=0,1")[1]  # a new signature is no new run


@pytest.mark.parametrize("name", ["a.csv?sig=SECRET", "a.csv?sig=SECRET+{}/a.npy", "none.foo?sig=SECRET"])
def test_lines_about_a_table_do_not_show_what_is_secret(server, name, capsys):
    folder, url = server
    for file in ("a.csv", "a.npy", "none.foo"):
        (folder / file).touch()
    np.save(folder / "a.npy", np.zeros((2, 2)))
    with pytest.raises(SalutaryError) as raised:
        open_table(f"{url}/{name.format(url)}")
    out, err = capsys.readouterr()
    assert url in str(raised.value) and "SECRET" not in f"{raised.value}{out}{err}"


def test_a_place_without_what_is_secret():
    text = "http://u:S@host/a.csv?sig=S+http://u:S@host/a.npy+b.npy"
    assert Place.of(text).public == "http://host/a.csv+http://host/a.npy+b.npy"
    assert Place.of("a.xlsx#May+b.npy").public == "a.xlsx#May+b.npy"


def test_lines_about_a_url_do_not_show_what_is_secret(server):
    with pytest.raises(SalutaryError) as raised:
        open_table(f"{server[1]}/none.csv?sig=TOKEN123")
    assert "none.csv" in str(raised.value) and "TOKEN123" not in str(raised.value)


def test_pictures_elsewhere(server, tmp_path):
    folder, url = server
    write_folder(folder, 3, 0, flat=True)
    (folder / "text.png").write_text("no picture")
    names = ["000.png", "001.png", "absent.png", "broken.png", "secret.png", "text.png", "002.png"]
    pd.DataFrame({"photo": [f"{url}/{name}" for name in names]}).to_csv(tmp_path / "a.csv", index=False)
    kept = WithoutBad(open_table(tmp_path / "a.csv"), ["photo"])
    (block,) = kept.blocks()
    assert block.index.tolist() == [0, 1, 6]
    told = [f"row {row}: {what}" for row, what in zip((3, 4, 5, 6), kept.skipped, strict=True)]
    assert len(told) == 4 and "there is no http" in told[0] and "may not be read" in told[2]
    for name in ("000.png", "002.png"):
        copied = upright(located(f"{url}/{name}", tmp_path))
        assert np.array_equal(np.asarray(copied), np.asarray(upright(folder / name)))


def test_a_package_that_is_missing_is_no_bad_picture(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(SalutaryError, match="fsspec") as caught:
        located("https://example.invalid/a.png", tmp_path)
    assert not isinstance(caught.value, BadPicture)


def test_downloads_show_how_far_they_are(memory, monkeypatch):
    told = []

    @contextlib.contextmanager
    def bar(description, total, shown=True):
        yield lambda n: told.append((description, total, n))

    monkeypatch.setattr(remote, "counting_bar", bar)
    memory.pipe_file("/x/told.csv", b"a,b\n" + b"1,2\n" * 30_000)
    assert len(open_table("memory://x/told.csv").read()) == 30_000
    assert {each[:2] for each in told} == {("downloading told.csv, kB", 121)}
    assert sum(n for *_, n in told) == pytest.approx(120.004)
