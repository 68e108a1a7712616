"""Every data set from real files, and every way in which a file can be wrong."""

import gzip
import hashlib
import http.server
import io
import json
import threading
import zipfile
from functools import partial

import numpy as np
import pytest
from compositions import composed

from salutary.datasets import Table, bank, load
from salutary.datasets.uci import Diabetic, Electrical, Waveform, Wine
from salutary.datasets.waveform_generated import WaveformGenerated
from salutary.errors import SalutaryError
from salutary.system import sources
from salutary.system.commands import build

# rows, features, class counts: facts about the published files
EXPECTED = {
    "bank": (30488, 51, [26629, 3859]),
    "wine": (6497, 11, [30, 216, 2138, 2836, 1079, 193, 5]),
    "electrical": (10000, 12, [6380, 3620]),
    "waveform": (5000, 21, [1657, 1647, 1696]),
    "musk_v2": (6598, 166, [5581, 1017]),
    "diabetic": (1151, 19, [540, 611]),
    "celeba": (104163, 39, [49857, 54306]),
    "digits": (1797, 64, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    "breast_cancer": (569, 30, [212, 357]),
}


ON_DISK = {
    "bank": "bank",
    "wine": "wine",
    "electrical": "electrical",
    "waveform": "waveform",
    "musk_v2": "musk_v2",
    "diabetic": "diabetic",
    "celeba": "celeba",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_shape_and_class_counts(name, request):
    overrides = [f"dataset={name}"]
    if name in ON_DISK:
        overrides.append(f"data_dir={request.getfixturevalue('data_dir')}")
    table = build(composed(*overrides), "dataset").load()
    rows, features, counts = EXPECTED[name]
    assert table.X.shape == (rows, features)
    assert np.bincount(table.y).tolist() == counts
    assert table.X.dtype == np.float64
    assert len(table.class_names) == len(counts)


def test_celeba_rows_are_those_of_the_public_subset(data_dir):
    """The label vector is known by its checksum (labels -1 and 1 as little-endian int64)."""
    table = build(composed("dataset=celeba", f"data_dir={data_dir}"), "dataset").load()
    signs = np.where(table.y == 1, 1, -1).astype("<i8")
    known = "7c598713097ca49ffac25451574624974b517b8e3ca3d4b9cb664db386e4951f"
    assert hashlib.sha256(signs.tobytes()).hexdigest() == known
    assert (np.diff(table.X[:, :38], axis=0) != 0).any(1).all()


def test_generated_waveform_is_like_the_published_one(data_dir):
    """Class means and covariances of 200,000 generated rows, within sampling error of UCI's 5,000."""
    ours, theirs = WaveformGenerated(200_000).load(), Waveform(data_dir).load()
    for c in range(3):
        a, b = ours.X[ours.y == c], theirs.X[theirs.y == c]
        error = b.std(0) / np.sqrt(len(b))
        assert (np.abs(a.mean(0) - b.mean(0)) < 4.5 * error).all()
        assert np.abs(np.cov(a.T) - np.cov(b.T)).max() < 0.35
    assert WaveformGenerated(50, draw=1).load().sha256 != WaveformGenerated(50, draw=2).load().sha256
    assert WaveformGenerated(50).load().sha256 == WaveformGenerated(50).load().sha256


def test_plain_and_gz_files_are_the_same(data_dir, tmp_path):
    raw = (data_dir / "waveform" / "waveform.data").read_bytes()
    (tmp_path / "waveform").mkdir()
    (tmp_path / "waveform" / "waveform.data.gz").write_bytes(gzip.compress(raw))
    assert Waveform(tmp_path).load().sha256 == Waveform(data_dir).load().sha256


def test_truncated_gz_names_the_file(data_dir, tmp_path):
    stored = (data_dir / "electrical" / "Data_for_UCI_named.csv.gz").read_bytes()
    path = tmp_path / "electrical" / "Data_for_UCI_named.csv.gz"
    path.parent.mkdir()
    for content in (stored[: len(stored) // 2], b"not a gzip file", b""):
        path.write_bytes(content)
        with pytest.raises(SalutaryError, match=r"Data_for_UCI_named\.csv\.gz is (truncated|not the)"):
            Electrical(tmp_path).load()


def test_wrong_checksum_names_file_and_both_sums(data_dir, tmp_path):
    raw = (data_dir / "waveform" / "waveform.data").read_bytes()
    path = tmp_path / "waveform" / "waveform.data"
    path.parent.mkdir()
    path.write_bytes(raw.replace(b"1", b"2", 1))
    with pytest.raises(SalutaryError, match=r"waveform\.data .* sha256 is [0-9a-f]{64}, expected da332f31"):
        Waveform(tmp_path).load()


def test_missing_celeba_says_where_it_comes_from(tmp_path):
    dataset = build(composed("dataset=celeba", f"data_dir={tmp_path}"), "dataset")
    with pytest.raises(SalutaryError, match=r"list_attr_celeba\.txt from https://mmlab.*celeba"):
        dataset.load()


@pytest.mark.parametrize(
    "X, y, names, message",
    [
        ([[0.0, np.nan]], [0], ("a", "b"), "feature 1 of row 0 is nan"),
        ([[0.0, 1.0], [np.inf, 1.0]], [0, 1], ("a", "b"), "feature 0 of row 1 is inf"),
        ([[0.0], [1.0]], [0, 2], ("a", "b"), "row 1 has class number 2"),
        ([[0.0], [1.0]], [0, 0], ("a",), "all rows are of one class, a"),
        ([[0.0], [1.0]], [0], ("a", "b"), "do not form a table"),
        ([[0.0], [1.0]], [0.0, 0.9], ("a", "b"), "labels must be the class numbers"),
        ([[0.0], [1.0]], [0.0, np.nan], ("a", "b"), "labels must be the class numbers"),
        ([[0.0], [1.0]], ["a", "b"], ("a", "b"), "labels must be the class numbers"),
        ([[0.0], [1.0j]], [0, 1], ("a", "b"), "features must be real numbers"),
        ([["x"], ["y"]], [0, 1], ("a", "b"), "features must be real numbers"),
        ([[0.0], [1.0]], [0, 1], ("a", "a"), "different names"),
        ([[0.0], [1.0]], [0, 1], "ab", "different names"),
    ],
)
def test_bad_tables_are_refused(X, y, names, message):
    with pytest.raises(SalutaryError, match=message):
        Table(np.array(X), np.array(y), names)


def test_load_names_the_data_set():
    class Broken:
        def load(self):
            return 1, 2

    with pytest.raises(SalutaryError, match=r"dataset=mine: load.. returned a tuple"):
        load(Broken(), "mine")
    with pytest.raises(SalutaryError, match=r"dataset=mine: dataset\.n must be"):
        load(WaveformGenerated(0), "mine")


# -- downloads, from a real server on this machine -------------------------------------------------


@pytest.fixture
def server(tmp_path_factory):
    """An HTTP server over a folder: (folder, address)."""
    folder = tmp_path_factory.mktemp("served")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


@pytest.fixture
def no_server():
    """An address at which nobody listens."""
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_port
    return f"http://127.0.0.1:{port}"


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def test_bank_is_downloaded_from_the_nested_archive_and_cached(data_dir, server, monkeypatch, tmp_path):
    folder, address = server
    raw = sources.read(data_dir / "bank" / "bank-additional-full.csv.gz")
    inner = zipped(**{"bank-additional/bank-additional-full.csv": raw})
    (folder / "bank+marketing.zip").write_bytes(zipped(**{"bank-additional.zip": inner, "bank.zip": b""}))
    monkeypatch.setattr(bank, "URL", f"{address}/bank+marketing.zip")
    first = bank.Bank(tmp_path).load()
    assert first.sha256 == bank.Bank(data_dir).load().sha256
    monkeypatch.setattr(bank, "URL", "http://127.0.0.1:9/gone")
    assert bank.Bank(tmp_path).load().sha256 == first.sha256
    assert [p.name for p in (tmp_path / "bank").iterdir()] == ["bank-additional-full.csv"]


@pytest.mark.parametrize(
    "archive, message",
    [
        (b"<html>", "does not hold"),
        (zipped(other=b""), "does not hold"),
        (zipped(**{"bank-additional.zip": zipped(x=b"")}), "does not hold"),
        (
            zipped(**{"bank-additional.zip": zipped(**{"bank-additional/bank-additional-full.csv": b"age"})}),
            "not the published file",
        ),
    ],
)
def test_wrong_archive_is_refused_and_nothing_is_kept(archive, message, server, monkeypatch, tmp_path):
    folder, address = server
    (folder / "archive.zip").write_bytes(archive)
    monkeypatch.setattr(bank, "URL", f"{address}/archive.zip")
    with pytest.raises(SalutaryError, match=message):
        bank.Bank(tmp_path).load()
    assert not any(tmp_path.rglob("*.csv"))


def test_no_network_says_which_file_goes_where(no_server, monkeypatch, tmp_path):
    monkeypatch.setattr(bank, "URL", f"{no_server}/bank.zip")
    with pytest.raises(SalutaryError, match=r"cannot download .*put bank/bank-additional-full\.csv") as error:
        bank.Bank(tmp_path).load()
    assert str(tmp_path) in str(error.value)
    monkeypatch.setattr("ucimlrepo.fetch.API_BASE_URL", no_server)
    with pytest.raises(
        SalutaryError, match=r"UCI data set 186 .*winequality-red\.csv and wine/winequality-w"
    ):
        Wine(tmp_path).load()
    assert not any(tmp_path.rglob("*"))


def serve_uci(folder, address, uci_id: int, csv: str) -> None:
    """What UCI's interface answers for one table, as ucimlrepo reads it."""
    (folder / "data.csv").write_text(csv)
    columns = csv.partition("\n")[0].split(",")
    variables = [{"name": name, "role": "Feature"} for name in columns]
    data = {
        "uci_id": uci_id,
        "name": "table",
        "data_url": f"{address}/data.csv",
        "variables": variables,
        "additional_info": None,
        "intro_paper": None,
    }
    (folder / "api").write_text(json.dumps({"status": 200, "data": data}))


def test_ucimlrepo_gives_the_same_table_as_the_raw_files(data_dir, server, monkeypatch, tmp_path):
    folder, address = server
    monkeypatch.setattr("ucimlrepo.fetch.API_BASE_URL", f"{address}/api")
    raw = [sources.read(data_dir / "wine" / f"winequality-{c}.csv").decode() for c in ("red", "white")]
    rows = [line.replace(";", ",") + f",{c}" for c, text in zip("rw", raw, strict=True)
            for line in text.splitlines()[1:]]  # fmt: skip
    header = raw[0].splitlines()[0].replace(";", ",").replace('"', "") + ",color"
    serve_uci(folder, address, 186, "\n".join([header, *rows]) + "\n")
    expected = Wine(data_dir).load().sha256
    assert Wine(tmp_path).load().sha256 == expected
    (folder / "api").unlink()
    assert Wine(tmp_path).load().sha256 == expected  # from the cache


def test_ucimlrepo_table_of_another_shape_is_refused(server, monkeypatch, tmp_path):
    folder, address = server
    monkeypatch.setattr("ucimlrepo.fetch.API_BASE_URL", f"{address}/api")
    serve_uci(folder, address, 329, "a,b,Class\n1,2,0\n3,4,1\n")
    with pytest.raises(SalutaryError, match=r"data set 329 .* has 2 features .* expected 19"):
        Diabetic(tmp_path).load()
