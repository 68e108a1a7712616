"""A pool's features, made block by block, against those of the whole table."""

from collections import Counter

import numpy as np
import pytest
from written_tables import FORMS, mixed_rows, written

from salutary.labeling.inputs import read_inputs
from salutary.labeling.pool import encode_pool
from salutary.system.device import Device
from salutary.tables import table_file
from salutary.tables.features import Features
from salutary.tables.files import open_table

from .labelings import label_settings

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)


@pytest.fixture
def inputs(tmp_path):
    for seed, name in enumerate(("train.csv", "val.csv")):
        written(mixed_rows(40, seed), tmp_path / name)
    return read_inputs(label_settings(tmp_path), Device("cpu"))


@pytest.mark.parametrize("form", FORMS)
def test_an_encoded_pool_is_its_features(form, inputs, tmp_path, monkeypatch):
    monkeypatch.setattr(table_file, "BLOCK_ROWS", 7)
    frame = mixed_rows(40, 2)
    frame.loc[3, "city"] = "new"
    path = written(frame, tmp_path / form)
    pool = encode_pool(open_table(path), inputs, "key", tmp_path, progress=False)
    schema = inputs.features.schema
    features = Features(schema, inputs.features.transformer, Counter())
    expected = features.transform(schema.convert(frame, "x"), "x").astype(np.float32)
    assert len(pool.matrix) == 40 and pool.matrix.n_features == expected.shape[1]
    np.testing.assert_array_equal(pool.matrix.take(np.arange(40)), expected)
    np.testing.assert_array_equal(np.concatenate(list(pool.matrix.blocks())), expected)
    assert pool.unseen == dict(features.unseen) and pool.unseen["city"] == 1
    open_again = encode_pool(open_table(path), inputs, "key", tmp_path, progress=False)
    assert open_again.unseen == pool.unseen


def test_labelled_and_validation_rows_are_read_in_one_way(inputs):
    schema = inputs.features.schema
    for part, seed in ((inputs.labeled, 0), (inputs.validation, 1)):
        frame = mixed_rows(40, seed)
        expected = inputs.features.transformer.transform(schema.convert(frame, "x"))
        np.testing.assert_allclose(part.rows.X.numpy(), expected, rtol=1e-12, atol=1e-14)
        assert part.rows.y.tolist() == frame["y"].tolist()
        assert part.ids.tolist() == frame["key"].tolist()
