"""``backend=``: what is said before anything is read."""

import sys

import pytest

from salutary.errors import SalutaryError

from .labelings import label_settings
from .ray_tables import label, write_tables


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"backend": "dask"}, "backend must be local or ray, not 'dask'"),
        ({"encode": "never"}, "encode must be .*once.*each_round"),
        ({"encode": "each_round"}, "encode=each_round is for backend=ray"),
        ({"backend": "ray", "pool": None}, "backend=ray is for the rows of a pool"),
        ({"backend": "ray", "audit": True}, "backend=ray is for the rows of a pool"),
        ({"backend": "ray", "skip_bad": True}, "set skip_bad=false"),
        ({"backend": "ray", "predictions": "said.csv"}, "predictions=said.csv are Parquet parts"),
        ({"backend": "ray", "export": ["argilla"]}, "export=argilla writes the pool in one process"),
        ({"backend": "ray", "predictions": "pool"}, "predictions must end in"),
        ({"backend": "ray", "predictions": "pool/said.parquet"}, "is where pool=pool is: write elsewhere"),
    ],
)
def test_settings_that_do_not_go_together(settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SalutaryError, match=message):
        label_settings(tmp_path, **settings)


def test_without_ray_one_line_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there is no table
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name in [name for name in sys.modules if name == "ray" or name.startswith("ray.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "pool.csv").touch()
    with pytest.raises(SalutaryError, match=r"^ray is not installed: pip install 'salutary\[ray\]'$"):
        label("pool=pool.csv", "backend=ray")


def test_rows_of_parquet_are_read_by_groups(tmp_path, monkeypatch):
    """Each piece of the folder is what the whole of it has there."""
    from salutary.tables.files import open_table

    monkeypatch.setattr("salutary.tables.table_file.BLOCK_ROWS", 60)
    pool = write_tables(tmp_path, 900)
    table = open_table(tmp_path / "parts")
    whole = table.read()
    for n in (1, 200, 10_000):
        pieces = table.pieces(n)
        assert [piece.start for piece in pieces] == [0, *_ends(pieces)[:-1]] and _ends(pieces)[-1] == 900
        assert all(piece.n_rows <= max(n, 210) for piece in pieces)
        for piece in pieces:
            rows = list(table.blocks_of(piece, table.columns))
            assert sum(map(len, rows)) == piece.n_rows
            for block in rows:
                assert block.equals(whole.loc[block.index])
    assert whole["key"].tolist() == pool["key"].tolist()


def _ends(pieces):
    return [piece.start + piece.n_rows for piece in pieces]
