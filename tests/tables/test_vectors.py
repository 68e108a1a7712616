"""Embeddings that people have already, beside a table or in one column: the same as columns of numbers."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import ipc, parquet
from spoilt_tables import LABEL, part, with_changes

from salutary import load_model
from salutary.errors import SalutaryError
from salutary.labeling import cli
from salutary.labeling.pool import open_pool
from salutary.tables import table_file, vectors
from salutary.tables.files import open_table
from salutary.tables.places import Place, identity, ordered_by, with_sheet

N, WIDTH = 24, 7


def embeddings(seed, n=N, kind=np.float32):
    return np.random.default_rng(seed).normal(size=(n, WIDTH)).astype(kind)


def as_columns(frame, E, name="embedding"):
    return pd.concat([frame, pd.DataFrame(E, columns=[f"{name}_{i}" for i in range(WIDTH)])], axis=1)


def with_lists(path, frame, E, kind):
    """A column ``embedding`` in a file of Arrow's, or in lines of JSON."""
    columns = frame.to_dict("list")
    if path.suffix == ".jsonl":
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        lines = [json.dumps(row | {"embedding": each}) for row, each in zip(rows, E.tolist(), strict=True)]
        path.write_text("\n".join(lines))
        return path
    table = pa.table(columns | {"embedding": pa.array(list(E), kind)})
    if path.suffix == ".parquet":
        parquet.write_table(table, path, row_group_size=5)
    else:
        opened = ipc.new_file if path.suffix == ".feather" else ipc.new_stream
        with pa.OSFile(str(path), "wb") as file, opened(file, table.schema) as writer:
            writer.write_table(table, max_chunksize=5)
    return path


KINDS = [pa.list_(pa.float32(), WIDTH), pa.list_(pa.float32()), pa.large_list(pa.float64())]
LISTS = [(name, kind) for name in ("a.parquet", "a.feather", "a.arrow") for kind in KINDS]
FORMS = ["a.npy", "a.safetensors", *LISTS, ("a.jsonl", None)]


def written(folder, form, frame, E):
    if isinstance(form, tuple):
        return with_lists(folder / form[0], frame, E, form[1])
    frame.to_csv(folder / "a.csv", index=False)
    if form == "a.npy":
        np.save(folder / form, E)
    else:
        pytest.importorskip("safetensors")
        from safetensors.numpy import save_file

        save_file({"found": E}, folder / form)
    return f"{folder / 'a.csv'}+{folder / form}"


@pytest.mark.parametrize("rows", [32_768, 7])
@pytest.mark.parametrize("form", FORMS, ids=str)
def test_the_same_as_columns(form, rows, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", rows)
    frame, E = part(0), embeddings(0)
    table, expected = open_table(written(tmp_path, form, frame, E)), as_columns(frame, E)
    assert table.columns == list(expected)
    found = table.read()
    assert list(found) == list(expected)
    np.testing.assert_array_equal(found.iloc[:, 5:].to_numpy(np.float32), E)
    assert found["key"].tolist() == frame["key"].tolist()
    some = table.read(["embedding_3", "city", "embedding_0"])
    np.testing.assert_array_equal(some[["embedding_3", "embedding_0"]].to_numpy(np.float32), E[:, [3, 0]])
    assert list(some) == ["embedding_3", "city", "embedding_0"]
    assert list(table.read(["age"])) == ["age"] and len(table.read(["embedding_1"])) == N
    assert list(table.read_all_but(["embedding", "age"])) == ["key", "wage", "city", "outcome"]


@pytest.mark.parametrize("form", ["a.npy", *[each for each in FORMS if each[0] == "a.parquet"]], ids=str)
def test_blocks_of_wide_tables_are_small(form, tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "BLOCK_VALUES", 30)
    table = open_table(written(tmp_path, form, part(0), embeddings(0)))
    blocks = list(table.blocks(["embedding_0", "embedding_6", "age"]))
    assert max(map(len, blocks)) <= 10
    np.testing.assert_array_equal(pd.concat(blocks)["embedding_6"].to_numpy(np.float32), embeddings(0)[:, 6])


@pytest.mark.parametrize("kind", [np.float16, np.float64, ">f4", np.int8, np.uint16])
@pytest.mark.parametrize("order", ["C", "F"])
def test_kinds_of_npy(kind, order, tmp_path):
    E = (embeddings(0) * 10).astype(kind)
    np.save(tmp_path / "a.npy", np.asarray(E, order=order))
    table = open_table(tmp_path / "a.npy")
    assert table.columns == [f"embedding_{i}" for i in range(WIDTH)] and table.n_rows == N
    np.testing.assert_array_equal(table.read(), E)


def test_several_matrices(tmp_path):
    save_file = pytest.importorskip("safetensors.numpy").save_file
    E, F = embeddings(0), embeddings(1)
    save_file({"one": E, "two + 2": F}, tmp_path / "a.safetensors")
    np.save(tmp_path / "b.npy", E)
    part(0).to_csv(tmp_path / "a.csv", index=False)
    found = open_table(f"{tmp_path}/a.csv+{tmp_path}/b.npy+{tmp_path}/a.safetensors#one").read()
    np.testing.assert_array_equal(found[[f"embedding2_{i}" for i in range(WIDTH)]], E)
    for name, line in (("", "holds 2 tensors: add #name; its tensors are one, two + 2"),
                       ("#three", "has no tensor 'three'; its tensors are one, two + 2")):  # fmt: skip
        with pytest.raises(SalutaryError) as told:
            open_table(f"{tmp_path}/a.safetensors{name}")
        assert str(told.value) == f"{tmp_path}/a.safetensors{name} {line}"
    (tmp_path / "c.safetensors").write_bytes(b"not one")
    with pytest.raises(SalutaryError, match=r"c\.safetensors is not a whole \.safetensors file: "):
        open_table(tmp_path / "c.safetensors")


WRONG = {
    "a null": ([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32()), "row 2: there is no vector"),
    "a null of fixed size": ([[1.0, 2.0], None], pa.list_(pa.float32(), 2), "row 2: there is no vector"),
    "a gap": ([[1.0, 2.0], [3.0, None]], pa.list_(pa.float64()), "row 2: number 2 of the vector is missing"),
    "NaN": ([[1.0, float("nan")]], pa.list_(pa.float32(), 2), "row 1: number 2 of the vector is missing"),
    "too short": ([[1.0, 2.0], [3.0]], pa.list_(pa.float32()), "row 2: the vector has 1 numbers, and not 2"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_vectors_that_are_wrong(what, tmp_path):
    values, kind, line = WRONG[what]
    parquet.write_table(
        pa.table({"n": range(len(values)), "v": pa.array(values, kind)}), tmp_path / "a.parquet"
    )
    table = open_table(tmp_path / "a.parquet")
    with pytest.raises(SalutaryError) as told:
        table.read()
    assert str(told.value) == f"{tmp_path / 'a.parquet'}, column v, {line}"
    assert list(table.read_all_but(["v"])) == ["n"]


def test_a_pool_of_features_with_vectors(tmp_path):
    E = embeddings(0)
    table = pa.table({"n": np.arange(N), "v": pa.array(list(E), pa.list_(pa.float32(), WIDTH))})
    parquet.write_table(table, tmp_path / "a.parquet")
    pool = open_pool(tmp_path / "a.parquet")
    assert pool.n_features == 1 + WIDTH
    expected = np.column_stack([np.arange(N), E])
    np.testing.assert_array_equal(np.concatenate(list(pool.blocks())), expected)


def test_the_same_labels_and_model(salutary, tmp_path):
    names, labels = ("labeled", "validation", "pool"), {}
    for number, name in enumerate(names):
        frame, E = part(number, 30), embeddings(number, 30)
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        np.save(tmp_path / f"{name}.npy", E)
        as_columns(frame, E).to_csv(tmp_path / f"{name}-wide.csv", index=False)
        with_lists(tmp_path / f"{name}.parquet", frame, E, KINDS[0])
    for form in ("{}-wide.csv", "{}.csv+{}.npy", "{}.parquet"):
        files = {name: form.format(name, name) for name in names}
        settings = LABEL | files | {"id": "key", "output": "found.csv", "force": "true"}
        status, _, err = salutary(cli.main, "salutary-label", *with_changes(settings, {}))
        assert status == 0, err
        labels[form] = pd.read_csv(tmp_path / "found.csv")
        model = load_model(tmp_path / "found" / "model.skops")
        labels[form]["p"] = model.predict_proba(f"{tmp_path}/pool.csv+{tmp_path}/pool.npy")[
            labels[form]["row"], 0
        ]
    wide, *others = labels.values()
    for other in others:
        pd.testing.assert_frame_equal(wide, other, rtol=1e-5)


def test_names_of_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a+b.npy", "c.xlsx#d", "e+f.csv"):
        (tmp_path / name).touch()
        assert Place.of(name) == Place(name, name)
    place = Place.of("e+f.csv+g.npy")
    assert (place.file, [each.file for each in place.beside]) == ("e+f.csv", ["g.npy"])
    assert Place.of("x.db#SELECT a+b FROM t ORDER BY a").part == "SELECT a+b FROM t ORDER BY a"
    place = Place.of("s3://bucket/x.xlsx#May 1+y.safetensors#t")
    assert (place.file, place.part, place.beside[0].part) == ("s3://bucket/x.xlsx", "May 1", "t")
    assert Place.of("https://x.org/a.csv.gz?sig=1.2").form == ".csv"
    assert identity("x.xlsx#a") != identity("x.xlsx#b") and identity("./x.csv") == identity("x.csv")
    assert with_sheet("x.xlsx", "May") == "x.xlsx#May" and with_sheet("x.csv", "May") == "x.csv"
    assert with_sheet("x.xlsx#June+y.npy", "May") == "x.xlsx#June+y.npy"
    assert with_sheet("x.xlsx+y.npy", "May") == "x.xlsx#May+y.npy"
    assert ordered_by("x.db#SELECT 1;", 'a"b') == 'x.db#SELECT * FROM (SELECT 1) ORDER BY "a""b"'
    assert ordered_by("x.db#SELECT 1 ORDER BY 1", "a") == "x.db#SELECT 1 ORDER BY 1"


def test_vectors_of_the_table_are_known_beside_a_matrix(tmp_path):
    frame = part(0)
    with_lists(tmp_path / "a.jsonl", frame, embeddings(1), None)
    np.save(tmp_path / "b.npy", embeddings(2)[:, :2])
    table = open_table(f"{tmp_path}/a.jsonl+{tmp_path}/b.npy")
    of_list = [f"embedding_{i}" for i in range(WIDTH)]
    assert table.vectors.expanded(["embedding"]) == of_list


def test_a_number_of_a_list_that_no_float_holds(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"v": [0.5, 1]}\n{"v": [0.5, 1' + "0" * 400 + "]}\n")
    with pytest.raises(SalutaryError, match="column v, row 2: a number of the vector is larger"):
        open_table(tmp_path / "a.jsonl").read()


def test_lines_without_a_key(tmp_path):
    (tmp_path / "a.jsonl").write_text("{}\n{}\n")
    with pytest.raises(SalutaryError, match="has no columns: its objects are empty"):
        open_table(tmp_path / "a.jsonl")
