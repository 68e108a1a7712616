"""``dataset=openml`` against a server that is a dictionary."""

import hashlib
import io
import json
import re
from urllib.error import HTTPError, URLError

import numpy as np
import pytest
from sklearn.datasets import _openml

from salutary.datasets import load
from salutary.datasets.openml import OpenML
from salutary.errors import SalutaryError
from salutary.tables import UNLABELED

ROWS = 60
COLORS = ("red", "dark green", "blue")


def arff(sparse: bool = False) -> bytes:
    """Three features, of which one has gaps, an id, and two columns of classes, one of them with a gap."""
    rng = np.random.default_rng(0)
    lines = [
        "@RELATION things",
        "@ATTRIBUTE id NUMERIC",
        "@ATTRIBUTE length REAL",
        "@ATTRIBUTE 'how wide' REAL",
        "@ATTRIBUTE color {red,'dark green',blue}",
        "@ATTRIBUTE shape {0,1}",
        "@ATTRIBUTE class {good,bad}",
        "@DATA",
    ]
    for row in range(ROWS):
        color = COLORS[rng.integers(3)]
        values = [row, f"{rng.normal():.3f}", "?" if row % 10 == 3 else f"{rng.normal():.3f}"]
        values += [f"'{color}'", rng.integers(2), "?" if row == 7 else ("good", "bad")[row % 2]]
        lines.append(",".join(map(str, values)) if not sparse else f"{{1 {values[1]}}}")
    return "\n".join(lines).encode()


def answers(content: bytes, target: str | None = "class", **more: object) -> dict[str, object]:
    """What OpenML says of its data set 4242, by path."""
    about = {"id": "4242", "name": "things", "version": "3", "status": "active", "format": "ARFF"}
    about |= {"url": "https://www.openml.org/data/v1/download/99/things.arff", "file_id": "99"}
    about |= {
        "row_id_attribute": "id",
        "description": "Things.",
        "md5_checksum": hashlib.md5(content).hexdigest(),
        **more,
    }
    if target:
        about["default_target_attribute"] = target
    names = ("id", "length", "how wide", "color", "shape", "class")
    kinds = ("numeric", "numeric", "numeric", "nominal", "nominal", "nominal")
    nominal = {"color": [*COLORS], "shape": ["0", "1"], "class": ["good", "bad"]}
    features = [
        {
            "index": str(i),
            "name": name,
            "data_type": kind,
            "is_target": str(name == target).lower(),
            "is_ignore": "false",
            "is_row_identifier": str(name == "id").lower(),
            "number_of_missing_values": "1",
            **({"nominal_value": nominal[name]} if name in nominal else {}),
        }
        for i, (name, kind) in enumerate(zip(names, kinds, strict=True))
    ]
    listed = {"did": 4242, "name": "things", "version": 3, "status": "active", "format": "ARFF"}
    return {
        "api/v1/json/data/list/data_name/things/limit/2/data_version/3": {"data": {"dataset": [listed]}},
        "api/v1/json/data/4242": {"data_set_description": about},
        "api/v1/json/data/features/4242": {"data_features": {"feature": features}},
        "api/v1/json/data/qualities/4242": {
            "data_qualities": {"quality": [{"name": "NumberOfInstances", "value": str(float(ROWS))}]}
        },
        "data/v1/download/99/things.arff": content,
    }


@pytest.fixture
def server(monkeypatch):
    """Paths that are asked for; and what is answered can be changed."""

    class Server(dict):
        asked: list[str] = []

    served = Server(answers(arff()))
    served.asked = []

    class Response(io.BytesIO):
        def info(self):
            return {}

    def opened(request, *args, **kwargs):
        path = re.sub(r"^https://[^/]*openml\.org/", "", request.full_url)
        served.asked.append(path)
        if path not in served:
            raise HTTPError(request.full_url, 412, "no such thing", {}, io.BytesIO())
        content = served[path]
        return Response(content if isinstance(content, bytes) else json.dumps(content).encode())

    monkeypatch.setattr(_openml, "urlopen", opened)
    monkeypatch.setattr(_openml.time, "sleep", lambda seconds: None)
    return served


@pytest.fixture
def things(server, tmp_path):
    """The table of 4242, with some settings."""
    return lambda **settings: load(OpenML(**{"id": 4242, "cache_dir": str(tmp_path), **settings}), "openml")


def test_numbers_and_categories_are_what_openml_says(things):
    table = things()
    assert table.class_names == ("bad", "good") and table.X.shape == (ROWS, 4)
    assert table.columns.schema.numeric == ("length", "how wide")
    assert {*table.columns.schema.categorical} == {"color", "shape"}  # of which one looks like numbers
    assert np.flatnonzero(table.y == UNLABELED).tolist() == [7]
    assert table.y[:4].tolist() == [1, 0, 1, 0]
    gaps = np.isnan(table.X[:, 1])
    assert np.flatnonzero(gaps).tolist() == [row for row in range(ROWS) if row % 10 == 3]
    assert set(table.columns.frame["color"]) == {*COLORS}


def test_settings_of_columns(things):
    table = things(numeric=["shape"], ignore=["how wide"])
    assert table.columns.schema.numeric == ("shape", "length")
    assert table.columns.schema.categorical == ("color",)
    other = things(target="shape", group="color", group_is_feature=False)
    assert other.class_names == ("0", "1") and {*other.groups.names} == {*COLORS}
    assert {*other.columns.schema.used} == {"length", "how wide", "class"}


def test_by_name_and_version_it_is_the_same(things):
    assert things(id=None, name="things", version=3).sha256 == things().sha256


def test_it_is_fetched_once(things, server, monkeypatch, tmp_path):
    first = things()
    n = len(server.asked)
    assert things().sha256 == first.sha256 and len(server.asked) == n
    kept = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert "things.arff.gz" in kept and all(name.endswith(".gz") for name in kept)

    def unplugged(*args, **kwargs):
        raise URLError("unplugged")

    monkeypatch.setattr(_openml, "urlopen", unplugged)
    assert things().sha256 == first.sha256
    with pytest.raises(SalutaryError) as told:
        things(cache_dir=str(tmp_path / "elsewhere"))
    assert str(told.value).startswith(
        "dataset=openml: cannot fetch OpenML's 4242 (unplugged; is there a network?)"
    )
    assert "\n" not in str(told.value)


MISTAKES = {
    "nothing": ({"id": None}, "set dataset.id, or dataset.name and dataset.version"),
    "a name alone": ({"id": None, "name": "things"}, "set dataset.id, or dataset.name and dataset.version"),
    "both": ({"name": "things", "version": 3}, "set dataset.id, or dataset.name and dataset.version"),
    "no number": ({"id": "x"}, "dataset.id must be"),
    "not there": ({"id": 1}, "OpenML's 1 cannot be read: Dataset with data_id 1 not found"),
    "no such target": ({"target": "klass"}, "dataset.target=klass is no column of OpenML's 4242"),
    "numbers as target": ({"target": "length"}, "OpenML's 4242, column length, row 1: "),
    "no such column": ({"ignore": ["klass"]}, "OpenML's 4242 has no column 'klass'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, things):
    settings, message = MISTAKES[mistake]
    with pytest.raises(SalutaryError, match=re.escape(message)) as told:
        things(**settings)
    assert "\n" not in str(told.value)


def test_tables_that_are_none(things, server, tmp_path):
    server |= answers(arff(), target=None)
    with pytest.raises(SalutaryError, match=r"OpenML's 4242 has no target of its own: set dataset\.target"):
        things()
    assert things(target="class").class_names == ("bad", "good")
    server |= answers(arff(), format="Sparse_ARFF")
    with pytest.raises(SalutaryError, match="OpenML's 4242 cannot be read: "):
        things(cache_dir=str(tmp_path / "sparse"))


def test_a_file_that_is_not_the_published_one(things, server):
    server["data/v1/download/99/things.arff"] = arff() + b"\n"
    with pytest.raises(SalutaryError, match="OpenML's 4242 cannot be read: The md5 checksum"):
        things()


def test_what_openml_warns_of_is_a_line(things, server, caplog):
    server |= answers(arff(), status="deactivated")
    with caplog.at_level("INFO"):
        things()
    assert any(
        line.startswith("OpenML's 4242: Version 3 of dataset things is inactive") for line in caplog.messages
    )


def test_a_run(server, salutary_run, tmp_path):
    settings = ("dataset=openml", "dataset.id=4242", "protocol=standard", "rounds=2", "budget=1")
    status, _, err = salutary_run(
        *settings, "n_init=10", f"cache_dir={tmp_path / 'kept'}", "strategy=salutary"
    )
    assert status == 0, err
    (run,) = tmp_path.glob("outputs/openml-salutary-*/run.json")
    facts = json.loads(run.read_text())
    assert facts["settings"]["dataset"]["id"] == 4242 and facts["data_shape"] == [ROWS, 4]
