"""MODEL_CARD.md: read by the parser of the Hugging Face Hub, rendered as Markdown, and true."""

import hashlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from statsmodels.stats.proportion import proportion_confint

from salutary.integrations.loaded import load_model
from salutary.labeling.card import cell, code, file_name, text

fsspec = pytest.importorskip("fsspec")

FILES = ("labeled=train.csv", "validation=val.csv", "test=test.csv", "target=kind", "id=patient")
LIGHT = ("model.candidates=[logistic]", "remedies=[labeled]", "rounds=1", "folds=3", "output=labels.csv")
POOL = "pool=pool.parquet"
# What Markdown, HTML, YAML or a terminal might take for something else.
TRICKY = [
    *("a|b", "`", "``x`", "<b>bold</b>", "*star*", "__init__", "[link](https://x.test)", "---", "# head"),
    *("- item", "key: value", "'\"", "&amp;", "~~gone~~", "null", "$$x$$", "café 漢字", "{{ facts }}", "!x"),
    *("\\", "<!-- c -->", " lead", "trail "),
]
UNPRINTED = {
    "two\nlines": r"two\nlines",
    "\u202eright to left": r"\u202eright to left",
    "bell\x07": r"bell\x07",
}


def rendered(markdown):
    """Tokens of all inlines, as GitHub and the Hub render the text."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    assert not [token for token in tokens if token.type == "html_block"]
    return [child for token in tokens for child in token.children or ()]


def hub_card(folder):
    path = folder / "MODEL_CARD.md"
    card = ModelCard.load(path)
    assert ModelCard(str(card)).data.to_dict() == card.data.to_dict()  # it writes what it has read
    return card


@pytest.mark.parametrize("name", [*TRICKY, *UNPRINTED])
def test_a_name_shows_as_it_is(name):
    shown = UNPRINTED.get(name, name)
    (found,) = [each.content for each in rendered(f"- a {code(name)}.") if each.type == "code_inline"]
    assert found == shown
    cells = rendered(f"| x | y |\n|---|---|\n| {cell(name)} | 1 |")
    assert [each.content for each in cells if each.type == "code_inline"] == [shown]
    assert [each.content for each in cells if each.type == "text"] == ["x", "y", "1"]
    sentence = rendered(f"- said: {text(name)}.")
    assert {each.type for each in sentence} <= {"text", "text_special"}
    assert "".join(each.content for each in sentence) == f"said: {shown}."


def test_an_empty_name():
    assert code("") == "`''`" and code(" ") == "`' '`"


@pytest.fixture
def tricky(files, tmp_path, monkeypatch):
    """Tables whose columns, classes and file have such names."""
    monkeypatch.chdir(tmp_path)
    names = {"mean radius": "a|b `r`", "mean texture": "<i>t</i>: *x*", "size": "---"}
    classes = {"benign": "`no`|\n---", "malignant": "<script>: yes"}
    for name in ("train", "val", "test"):
        frame = pd.read_csv(f"{name}.csv").rename(columns=names)
        frame.assign(kind=frame["kind"].map(classes)).to_csv(f"{name} | `x`.csv", index=False)
    return tmp_path


def test_the_hubs_parser_and_markdown_read_a_card_of_tricky_names(salutary_label, tricky):
    named = [each.replace(".csv", " | `x`.csv") for each in FILES]
    about = ("card.license=cc-by-4.0", "card.language=[en]", "card.datasets=[owner/name]")
    status, _, err = salutary_label(*named, *LIGHT, *about)
    assert status == 0, err
    card, folder = hub_card(tricky / "labels"), tricky / "labels"
    data, facts = card.data, json.loads((folder / "facts.json").read_text())
    assert (data.license, data.language, data.datasets) == ("cc-by-4.0", ["en"], ["owner/name"])
    assert data.library_name == "salutary" and data.pipeline_tag == "tabular-classification"
    assert data.model_name == "kind of train | `x`.csv" and data.metrics == ["accuracy", "log_loss"]
    tokens = rendered(card.text)
    assert not {token.type for token in tokens} & {"html_inline", "link_open", "image", "s_open"}
    shown = {token.content for token in tokens if token.type == "code_inline"}
    assert {"a|b `r`", "<i>t</i>: *x*", "---", r"`no`|\n---", "<script>: yes", "val | `x`.csv"} <= shown
    digest = hashlib.sha256((tricky / "train | `x`.csv").read_bytes()).hexdigest()
    assert facts["files"]["labeled"]["sha256"] == digest in shown


def test_its_figures_are_those_of_the_saved_model(salutary_label, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert salutary_label(*FILES, *LIGHT, POOL)[0] == 0
    card, test = hub_card(tmp_path / "labels"), pd.read_csv("test.csv")
    model = load_model("labels/model.skops")
    P, y = model.predict_proba(test), np.searchsorted(model.classes_, test["kind"])
    losses, hits = -np.log(P[np.arange(len(y)), y]), P.argmax(1) == y
    results = {(each.dataset_split, each.metric_type): each for each in card.data.eval_results}
    assert len(results) == 4
    accuracy, loss = results["test", "accuracy"], results["test", "log_loss"]
    assert accuracy.metric_value == hits.mean() and accuracy.metric_args["n"] == 100
    assert accuracy.metric_args["confidence_interval_95"] == pytest.approx(
        proportion_confint(hits.sum(), 100, method="wilson")
    )
    assert loss.metric_value == pytest.approx(losses.mean(), rel=1e-6)
    assert loss.metric_args["standard_error"] == pytest.approx(losses.std(ddof=1) / 10, rel=1e-6)
    assert loss.dataset_name == "test.csv" and results["validation", "accuracy"].metric_args["n"] == 100
    assert card.data.license is None and "Licence**: none is given" in card.text
    for heading in ("How to use it", "Intended use", "Data", "How labels were made", "Limits", "Figures"):
        assert f"\n## {heading}" in card.text
    assert f"| {losses.mean():.4f} ± {losses.std(ddof=1) / 10:.4f} | {100 * hits.mean():.2f}% (" in card.text
    assert "| majority class of the labelled rows |" in card.text and "no human was asked" in card.text
    assert "| pool | `pool.parquet` | 309 |" in card.text


def test_few_rows_and_nothing_held_out_are_limits(salutary_label, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pd.read_csv("val.csv")[:30].to_csv("val.csv", index=False)
    assert salutary_label(*FILES[:2], *FILES[3:], *LIGHT, "folds=0")[0] == 0
    card = hub_card(tmp_path / "labels")
    assert "model-index" not in card.data.to_dict() and card.data.metrics is None
    assert "30 validation rows chose and measured it" in card.text and "That is few." in card.text
    assert "Nothing was held out: how good it is, is not known." in card.text
    assert "± is" not in card.text and "labels of no human" not in card.text


MISTAKES = {
    "card.license='My own'": "card.license must be a licence as the Hugging Face Hub calls it",
    "card.language=english": "card.language must be a list of ISO 639 codes",
    "card.datasets=[a b]": "card.datasets must be a list of data sets of the Hugging Face Hub",
    "card.datasets=[../..,.]": "card.datasets must be a list of data sets of the Hugging Face Hub",
    "+card.foo=1": "there is no setting 'card.foo'; see --help",
    "card=5": "card must be settings such as card.license=mit, not 5",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(salutary_label, mistake):
    status, out, err = salutary_label(*FILES, mistake)
    assert status == 1 and not out and len(err.splitlines()) == 1 and MISTAKES[mistake] in err


NAMES = {
    "d/x.db#SELECT a/b.c FROM t": "x.db",
    "d/x.xlsx#May/June": "x.xlsx",
    "d/x.csv + d/y.npy": "x.csv",
    "s3://bucket/x.parquet": "x.parquet",
    "d/a#b.csv": "a#b.csv",
}


@pytest.mark.parametrize("file", NAMES)
def test_the_name_of_a_file_is_the_last_part_of_its_path(file):
    assert file_name({"files": {"test": {"file": file}}}, "test") == NAMES[file]


@pytest.fixture
def elsewhere(files, tmp_path, monkeypatch):
    """The tables in places whose names hold secrets, each with numbers beside its rows."""
    monkeypatch.chdir(tmp_path)
    system, named = fsspec.filesystem("memory"), {}
    pd.read_parquet("pool.parquet").to_csv("pool.csv", index=False)
    for number, (setting, name) in enumerate(
        {"labeled": "train", "validation": "val", "pool": "pool"}.items()
    ):
        frame, numbers = pd.read_csv(f"{name}.csv"), io.BytesIO()
        np.save(numbers, frame[["mean radius", "mean compactness"]].to_numpy())
        rows = frame.drop(columns=["mean radius", "mean compactness"]).to_csv(index=False).encode()
        urls = f"memory://u:SECRET{number}@a-test/{name}.csv", f"memory://u:SECRET@a-test/{name}.npy"
        for url, content in zip(urls, (rows, numbers.getvalue()), strict=True):
            system.pipe(url, content)
        named[setting] = f"{setting}={'+'.join(urls)}"
    yield named
    for path in system.ls("/", detail=False):
        system.rm(path, recursive=True)


def written(folder):
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


@pytest.mark.parametrize("task", ["pool", "audit"])
def test_what_is_secret_in_urls_is_nowhere(salutary_label, elsewhere, tmp_path, task):
    named = [elsewhere["labeled"], elsewhere["validation"], *FILES[3:]]
    named += [elsewhere["pool"], *LIGHT, "folds=0"] if task == "pool" else ["audit=true", "output=labels.csv"]
    status, out, err = salutary_label(*named)
    assert status == 0, err
    found = written(tmp_path / "labels")
    assert b"SECRET" not in found and "SECRET" not in out + err
    assert b"memory://a-test/train.csv+memory://a-test/train.npy" in found


def test_lines_about_settings_do_not_tell_secrets(salutary_label, elsewhere):
    again = elsewhere["labeled"].replace("labeled", "validation")
    status, out, err = salutary_label(elsewhere["labeled"], again, *FILES[3:], *LIGHT)
    assert status == 1 and "no row may serve twice" in err and "SECRET" not in out + err


def test_a_folder_of_files_has_one_checksum(tmp_path):
    from salutary.labeling.provenance import provenance

    from .labelings import label_settings

    folder = tmp_path / "rows"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "1.parquet").write_bytes(b"one")
    (folder / "a.parquet").write_bytes(b"two")
    (tmp_path / "val.csv").write_bytes(b"y\n1\n")
    for name in ("train.csv",):
        (tmp_path / name).write_bytes(b"")
    found = provenance(label_settings(tmp_path, pool=str(folder)))
    one, two = (hashlib.sha256(each).hexdigest() for each in (b"one", b"two"))
    lines = f"{two}  a.parquet\n{one}  b/1.parquet\n"
    assert found["pool"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest()
    assert (found["pool"]["files"], found["pool"]["bytes"]) == (2, 6)
    assert found["validation"]["sha256"] == hashlib.sha256(b"y\n1\n").hexdigest()
