"""One table, whatever file it is in: the same columns, values, classes and lines on the terminal."""

import itertools
import json
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from same_tables import FORMS, IN_ORDER, KINDS, MARKERS, TARGETS, TEXT_FORMS, Column, plainly, separator_of

from salutary.datasets import kept
from salutary.datasets.own_table import OwnTable
from salutary.errors import SalutaryError
from salutary.labeling import cli

pytestmark = pytest.mark.filterwarnings(
    "error::RuntimeWarning", "error::UserWarning", "error::FutureWarning", "error::ResourceWarning"
)
# Values of the column that folders are named for, in the order of the folders.
FOLDERS = [*["Bern", "K\u00f6ln", "NA", "Zug = 1/2"], *["7", "8.5", "9"]]
PARTS = ("train", "validation", "test")
TIMES = ("day", "moment", "zoned")
CATEGORIES = ("real", "single", "money", "whole", "large", *TIMES)


@st.composite
def tables(draw, sizes=(9, 24, 60), n_files=(1, 3)):
    """Columns, settings, a form for each of the parts, and a generator of all else."""
    names = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=2, max_size=9, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, decimal = draw(st.sampled_from(sizes)), draw(st.sampled_from([".", ".", ","]))
    folders = draw(st.sampled_from([FOLDERS[:1], FOLDERS[:3], FOLDERS[:4], FOLDERS[4:]]))
    values = np.sort(rng.integers(len(folders), size=n))
    columns = []
    for name in names:
        columns.append(Column(name, KINDS[name], KINDS[name].draw(rng, n), decimal))
        if KINDS[name].gaps and draw(st.booleans()):
            for row in rng.integers(n, size=n // 5):
                columns[-1].values[row] = None
            if KINDS[name].is_number or name in TIMES:
                columns[-1].gap = draw(st.sampled_from(["", "", "NA", "null"]))
    kind = TARGETS[draw(st.sampled_from(sorted(TARGETS)))]
    columns.append(Column("target", kind, kind.draw(rng, n), decimal))
    forms = draw(st.lists(st.sampled_from(sorted(FORMS)), min_size=3, max_size=3))
    forms = forms[: draw(st.sampled_from(n_files))]
    if len(forms) == 1 and draw(st.booleans()):  # rows without a label
        columns[-1].values[::4] = [None] * len(columns[-1].values[::4])
    columns.append(Column("ort \u00e9", KINDS["city"], [folders[each] for each in values], decimal))
    settings = {
        "categorical": [
            each.name for each in columns if each.name in CATEGORIES and not each.gap and draw(st.booleans())
        ],
        "missing": draw(st.sampled_from([[], [], ["NA"], MARKERS, ["?", "3"]])),
        "decimal": decimal,
        "separator": separator_of(columns),
    }
    return columns, settings, forms, rng


def written(columns, writers, folder, rng=None):
    """The table in one file, or in three of different rows: their paths, by part."""
    folder.mkdir()
    n = len(columns[0].values)
    cuts = [0, n] if len(writers) == 1 else [0, 6 * n // 10, 8 * n // 10, n]
    rows = [slice(*each) for each in itertools.pairwise(cuts)]
    return {
        part: write([column.rows(each) for column in columns], folder / part, rng)
        for part, each, write in zip(PARTS, rows, writers, strict=False)
    }


def load(paths, settings, **more):
    """What ``dataset=table`` makes of the files; or the line that they get."""
    named = {"path" if part == "train" else part: str(path) for part, path in paths.items()}
    try:
        return OwnTable(**named, target="target", **settings, **more).load()
    except SalutaryError as error:
        return plain(str(error))


def plain(line):
    """A line of messages, the places of files aside."""
    part = rf"(?:{re.escape(IN_ORDER)}|#another one)?"
    return re.sub(rf"\S*/(train|validation|test|pool|labeled)(\.\w+)*{part}(?=[,: ]|$)", r"\1", line)


def check(columns, settings, forms, rng):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = load(written(columns, [plainly] * len(forms), folder / "expected"), settings)
        paths = written(columns, [FORMS[form] for form in forms], folder / "found", rng)
        found = load(paths, settings)
        check_same(found, expected, columns, forms, settings["missing"])
        if not isinstance(found, str):
            check_kept(paths, settings, found, folder / "cache")


def check_same(found, expected, columns, forms, missing):
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    schema = expected.columns.schema
    assert found.columns.schema == schema and list(found.columns.schema.left_out) == list(schema.left_out)
    assert found.class_names == expected.class_names and found.y.tolist() == expected.y.tolist()
    assert (found.roles is None) == (expected.roles is None)
    check_frames(found, expected, columns)
    lines, markers = parted(found.columns.findings)
    assert lines == parted(expected.columns.findings)[0]
    assert markers == markers_of(columns, expected, forms, missing)


def check_frames(found, expected, columns):
    """The same values: of single precision within that, since a type of more has other digits."""
    singles = [column.name for column in columns if column.kind is KINDS["single"]]
    one, other = found.columns.frame, expected.columns.frame
    near = [name for name in expected.columns.schema.numeric if name in singles]
    pd.testing.assert_frame_equal(one.drop(columns=near), other.drop(columns=near), check_exact=True)
    np.testing.assert_allclose(one[near], other[near], rtol=1e-6)


def check_kept(paths, settings, expected, cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kept, "WORTH_SECONDS", 0)
        load(paths, settings, cache_dir=str(cache))
        patch.setattr(OwnTable, "_read", lambda *_: pytest.fail("it was not kept"))
        found = load(paths, settings, cache_dir=str(cache))
    assert found.columns.schema == expected.columns.schema
    assert found.columns.findings == expected.columns.findings
    pd.testing.assert_frame_equal(found.columns.frame, expected.columns.frame, check_exact=True)
    assert found.X.tobytes() == expected.X.tobytes() and found.y.tolist() == expected.y.tolist()


# Of a file that has no nulls it is told, beside all else, which texts mean "no value" elsewhere.

TOLD = re.compile(
    r"(\w+): '(.+)' (?:is a (?:class|category of its own)|means no value in [\w ]+): (.*?)(?:; .*)?"
)
PLACE = re.compile(r"(?:^|, )([^,]+) \((\d+), row (\d+)\)")


def parted(findings):
    """The lines, without those of markers; and what those say: part, text, column, count, first row."""
    lines = [plain(line) for line in findings]
    told = [match for match in map(TOLD.fullmatch, lines) if match]
    markers = {(each[1], each[2], *place) for each in told for place in PLACE.findall(each[3])}
    return [line for line in lines if not TOLD.fullmatch(line)], markers


def markers_of(columns, table, forms, missing):
    markers, schema = set(), table.columns.schema
    cuts = np.cumsum([0, *(len(frame) for _, frame in table.columns.parts)])
    rows = [slice(*each) for each in itertools.pairwise(cuts)]
    for part, form, each in zip(PARTS, forms, rows, strict=False):
        for column in columns if form in TEXT_FORMS else ():
            texts = column.rows(each).texts(0, column.gap)
            if column.name not in (*schema.used, "target"):
                continue
            for text in {*texts} & {*MARKERS} - {*(missing if column.name != "target" else ())}:
                row = str(texts.index(text) + 1)
                markers.add((part, text, column.name, str(texts.count(text)), row))
    return markers


SHARED = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "phases": (Phase.explicit, Phase.generate),  # add Phase.shrink to look into what is found
}


@settings(max_examples=25, **SHARED)
@given(tables())
def test_one_table_in_many_files(drawn):
    check(*drawn)


@pytest.mark.slow
@settings(max_examples=1000, **SHARED)
@given(tables())
def test_one_table_in_many_more_files(drawn):
    check(*drawn)


# salutary-label -----------------------------------------------------------------------------------

LABEL = {"target": "target", "rounds": "2", "budget": "3", "folds": "2", "seed": "0", "model.l2": "1"}
LABEL |= {"remedies": "false"}
QUICKLY = {"strategy.rerank": "2", "strategy.confidence": "0"}


def labelled(paths, settings, output, name):
    """What ``salutary-label`` writes, with an id: labels, facts and the model; or the line that comes."""
    files = dict(zip(("labeled", "validation", "pool"), paths.values(), strict=True))
    texts = {name: json.dumps(each) if isinstance(each, list) else each for name, each in settings.items()}
    told = LABEL | QUICKLY | texts | files | {"output": output} | ({"id": name} if name else {})
    try:
        cli.label_or_audit([f"{name}={value}" for name, value in told.items()])
    except SalutaryError as error:
        return plain(str(error))
    facts = json.loads((output.with_suffix("") / "facts.json").read_text())
    model = skops.io.load(output.with_suffix("") / "model.skops", trusted=["numpy.dtype"])
    return pd.read_csv(output), facts, model


def check_labels(columns, settings, forms, rng):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected = written(columns, [plainly] * len(forms), folder / "expected")
        found = written(columns, [FORMS[form] for form in forms], folder / "found", rng)
        ids = next((each.name for each in columns if each.name in ("key", "user_id")), None)
        one, other = (
            labelled(paths, settings, folder / f"{number}.csv", ids)
            for number, paths in enumerate((expected, found))
        )
        if isinstance(one, str) or isinstance(other, str):
            assert one == other
            return False
        check_same_model(one, other)
        return True


def check_same_model(one, other):
    pd.testing.assert_frame_equal(one[0], other[0], rtol=1e-6, check_dtype=False)
    for fact in ("classes", "counts", "pool_rows", "rounds", "labels", "stop"):
        assert one[1][fact] == other[1][fact], fact
    lines = [parted(facts["columns"].pop("findings"))[0] for _, facts, _ in (one, other)]
    assert lines[0] == lines[1] and one[1]["columns"] == other[1]["columns"]
    for name in ("coef_", "intercept_", "classes_"):
        first, second = (getattr(model[-1], name) for *_, model in (one, other))
        assert first.tolist() == second.tolist() or np.allclose(first, second, rtol=1e-5, atol=1e-7)
    assert one[2][0].get_feature_names_out().tolist() == other[2][0].get_feature_names_out().tolist()


@pytest.fixture(scope="module")
def fast_pages():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("salutary.labeling.page.small_png", lambda figure: b"")  # drawing takes longest
        yield


LARGE = tables(sizes=[60], n_files=[3])


@settings(max_examples=3, **SHARED)
@given(LARGE)
def test_the_same_labels(fast_pages, drawn):
    check_labels(*drawn)


@pytest.mark.slow
def test_more_of_the_same_labels(fast_pages):
    done = []

    @settings(max_examples=25, **SHARED)
    @given(LARGE)
    def label(drawn):
        done.append(check_labels(*drawn))

    label()
    assert sum(done) >= 20
