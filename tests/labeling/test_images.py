"""``salutary-label`` on columns and folders of pictures: what encodes them, what is kept, what is told."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from picture_files import write_folder
from PIL import Image

from salutary import load_model, read_rows
from salutary.encoders.image_columns import FrozenImages
from salutary.encoders.vision import HuggingFaceVision, Lite0, frozen
from salutary.errors import SalutaryError
from salutary.labeling import page
from salutary.labeling.thumbnails import OF_ASKED, Thumbnail, with_thumbnails
from salutary.tables import saved_model

QUICK = ("remedies=false", "rounds=1", "budget=4", "folds=2", "strategy.rerank=0")
FOLDERS = ("labeled=train", "validation=val", "pool=pool", *QUICK)
TABLES = ("labeled=train.csv", "validation=val.csv", "pool=pool.csv", "target=kind", *QUICK)
PARTS = {"train": 20, "val": 24, "test": 20, "pool": 30}


@pytest.fixture
def folders(tmp_path):
    """A folder of pictures for each part, the pool's without classes."""
    for seed, (name, n) in enumerate(PARTS.items()):
        write_folder(tmp_path / name, n, seed, flat=name == "pool")
    return tmp_path


@pytest.fixture
def tables(folders):
    """The same as tables, with a number, a category and a text beside each picture."""
    rng = np.random.default_rng(5)
    for seed, (name, n) in enumerate(PARTS.items()):
        labels = write_folder(folders / name, n, seed, flat=name == "pool")
        frame = pd.DataFrame({"file": [f"{name}/{path}" for path in labels], "kind": labels.values()})
        frame["size"], frame["shop"] = rng.normal(size=n), rng.choice(["a", "b"], n)
        frame["note"] = [f"picture number {i} is of {'a b c d e f'[i % 11 :]}" for i in range(n)]
        (frame if name != "pool" else frame.drop(columns="kind")).to_csv(folders / f"{name}.csv", index=False)
    return folders


def facts_of(folder):
    return json.loads((folder / "labels" / "facts.json").read_text())


def loss_of(model, rows, kinds):
    places = [model.classes_.tolist().index(each) for each in kinds]
    return -np.log(model.predict_proba(rows)[np.arange(len(places)), places]).mean()


def test_pictures_mixed_with_other_columns(tables, tiny_vit, salutary_label):
    settings = (f"image_encoder={tiny_vit}", "text=[note]", "encoder=tfidf", "test=test.csv")
    status, out, err = salutary_label(*TABLES, "images=file", *settings)
    assert status == 0, err
    facts = facts_of(tables)
    assert facts["columns"]["images"] == ["file"] and facts["columns"]["text"] == ["note"]
    assert facts["columns"]["numeric"] == ["size"] and facts["columns"]["categorical"] == ["shop"]
    assert "image_encoder=tiny_vit reads file (16 features)" in out
    assert re.search(r"image_encoder=tiny_vit: 64 pictures encoded, \d+ a second", out)
    assert "**Pictures** (`file`) are encoded by tiny_vit " in (tables / "labels/MODEL_CARD.md").read_text()
    reported = facts["comparisons"][0]["models"]["salutary"]
    assert reported["accuracy"] > 0.95
    model, test = load_model(tables / "labels"), pd.read_csv(tables / "test.csv")
    assert sorted(model.columns) == ["file", "note", "shop", "size"]
    assert loss_of(model, test, test["kind"]) == pytest.approx(reported["loss"], rel=1e-4)
    assert loss_of(model, tables / "test.csv", test["kind"]) == pytest.approx(reported["loss"], rel=1e-4)
    with pytest.raises(SalutaryError, match="encoded by"):
        read_rows(tables / "test.csv", model.pipeline)


def test_a_picture_is_what_its_encoder_makes_of_it(tables, tiny_vit):
    """Whatever stands beside it, and however often it is there; by transformers' own pieces."""
    from transformers import AutoImageProcessor, AutoModel

    paths = [str(tables / each) for each in pd.read_csv(tables / "train.csv")["file"]]
    found = FrozenImages(frozen(str(tiny_vit)), "vit").encode("file", [*paths, paths[0]])
    processor, module = AutoImageProcessor.from_pretrained(tiny_vit), AutoModel.from_pretrained(tiny_vit)
    for path, each in zip([*paths, paths[0]], found, strict=True):
        pixels = processor(images=[Image.open(path)], return_tensors="pt")["pixel_values"]
        expected = module.eval()(pixel_values=pixels).last_hidden_state[0, 0].detach().numpy()
        np.testing.assert_allclose(each, expected, atol=1e-5)


def test_lite0_is_the_encoder_of_the_image_folder(folders):
    pytest.importorskip("efficientnet_lite_pytorch")
    from salutary.datasets.image_folder import ImageFolder
    from salutary.encoders.efficientnet_lite0 import EfficientNetLite0

    pixels = ImageFolder(str(folders / "train")).read().pixels[:3]  # blue ones
    reference = EfficientNetLite0()
    reference.load("cpu")
    paths = sorted(map(str, (folders / "train" / "blue").iterdir()))[:3]
    found = FrozenImages(Lite0(), "efficientnet_lite0").encode("path", paths)
    assert found.shape == (3, 1280)
    np.testing.assert_allclose(found, reference.encode(pixels), atol=1e-5)


def test_folders_instead_of_tables(folders, tiny_vit, salutary_label):
    settings = (f"image_encoder={tiny_vit}", "test=test", "predictions=said.csv", "output=labels.csv")
    status, _, err = salutary_label(*FOLDERS, *settings)
    assert status == 0, err
    labels = pd.read_csv(folders / "labels.csv")
    assert set(labels["path"]) <= {f"{n:03}.png" for n in range(30)} and set(labels["label"]) <= {
        "red",
        "blue",
    }
    said = pd.read_csv(folders / "said.csv")
    truth = ["red" if number % 2 == 0 else "blue" for number in range(30)]
    assert said["path"].tolist() == [f"{n:03}.png" for n in range(30)]
    assert (said["prediction"] == truth).mean() > 0.9
    model = load_model(folders / "labels")
    found = model.predict_proba(folders / "pool")
    np.testing.assert_allclose(found, said[["probability_blue", "probability_red"]], atol=1e-4)


@pytest.mark.parametrize("names", [("red", "blue"), ("2024", "2025")])
def test_folders_within_a_pool_are_classes_if_they_are_called_so(names, folders, tiny_vit, salutary_label):
    shutil.rmtree(folders / "pool")
    write_folder(folders / "pool", 20, 3)
    for old, new in zip(("red", "blue"), names, strict=True):
        (folders / "pool" / old).rename(folders / "pool" / new)
    status, _, err = salutary_label(*FOLDERS, f"image_encoder={tiny_vit}", "output=labels.csv")
    assert status == 0, err
    labels = pd.read_csv(folders / "labels.csv")
    assert ("true_label" in labels) == (names[0] == "red")
    assert labels["path"].str.startswith(names).all()


def test_other_names_of_the_columns_of_a_folder(tables, tiny_vit, salutary_label):
    """A table of labelled rows, whose columns folders take over."""
    settings = (
        "labeled=train.csv",
        "ignore=[size,shop,note]",
        "target=kind",
        "images=[file]",
        "test=test.csv",
    )
    status, _, err = salutary_label(*settings, *FOLDERS[1:], f"image_encoder={tiny_vit}")
    assert status == 0, err
    assert facts_of(tables)["comparisons"][0]["models"]["salutary"]["accuracy"] > 0.9


def test_pictures_are_encoded_once_and_an_interruption_goes_on(
    folders, tiny_vit, salutary_label, monkeypatch
):
    monkeypatch.setattr("salutary.labeling.texts.CHUNK", 8)
    encode, counted = HuggingFaceVision.encode, []

    def counting(self, items):
        if sum(counted) == stop:
            raise KeyboardInterrupt
        counted.append(len(items))
        return encode(self, items)

    monkeypatch.setattr(HuggingFaceVision, "encode", counting)
    settings = (*FOLDERS, f"image_encoder={tiny_vit}")
    stop = 20 + 24 + 16
    assert salutary_label(*settings)[0] == 130
    stop = -1
    status, out, err = salutary_label(*settings)
    assert status == 0, err
    assert sum(counted) == 20 + 24 + 30
    assert "14 pictures encoded" in out
    status, out, _ = salutary_label(*settings, "output=again.csv")
    assert status == 0 and "pictures encoded" not in out and sum(counted) == 74


def test_another_picture_of_the_same_name_starts_over(tables, tiny_vit, salutary_label, monkeypatch):
    settings = (*TABLES, "images=[file]", "ignore=[note]", f"image_encoder={tiny_vit}", "output=other.csv")
    monkeypatch.setattr("salutary.labeling.pipeline.Labelling.label", lambda *_: interrupt())

    def interrupt():
        raise KeyboardInterrupt

    assert salutary_label(*settings)[0] == 130
    mark = (tables / "other.partial" / "fingerprint").read_text()
    assert salutary_label(*settings)[0] == 130
    assert (tables / "other.partial" / "fingerprint").read_text() == mark
    Image.new("RGB", (12, 12)).save(tables / "pool" / "003.png")
    assert salutary_label(*settings)[0] == 130
    assert (tables / "other.partial" / "fingerprint").read_text() != mark


def test_bad_pictures_are_one_line_or_skipped(tables, tiny_vit, salutary_label):
    (tables / "pool" / "001.png").write_text("no picture")
    (tables / "train" / "red" / "004.png").unlink()
    settings = (
        *TABLES,
        "images=[file]",
        "ignore=[note]",
        f"image_encoder={tiny_vit}",
        "predictions=said.csv",
    )
    status, _, err = salutary_label(*settings)
    (line,) = err.strip().splitlines()
    assert status == 1 and line.endswith("there is no such file; skip_bad=true goes on without it")
    assert "train/red/004.png is not a whole picture" in line and not (tables / "labels").exists()
    status, out, err = salutary_label(*settings, "skip_bad=true", "output=labels.csv")
    assert status == 0, err
    assert re.search(r"train\.csv, row 5: .*red/004\.png .*; the row is left out", out)
    assert re.search(r"pool\.csv, row 2: .*001\.png .*; the row is left out", out)
    facts = facts_of(tables)
    assert {name: len(lines) for name, lines in facts["columns"]["skipped"].items()} == {
        "labeled": 1,
        "pool": 1,
    }
    assert sum(facts["counts"]["labeled"].values()) == 19 and facts["pool_rows"] == 29
    said = pd.read_csv(tables / "said.csv")
    assert said["row"].tolist() == [0, *range(2, 30)]
    truth = np.array(["red", "blue"] * 15)
    assert (said["prediction"] == truth[said["row"]]).mean() > 0.9
    labels = pd.read_csv(tables / "labels.csv")
    assert 1 not in set(labels["row"]) and (labels["row"] < 30).all()


@pytest.mark.parametrize("audit", [False, True])
def test_cleanlab_names_the_rows_of_the_file_where_pictures_are_bad(audit, tables, tiny_vit, salutary_label):
    """Two rows of other classes have changed labels; two before them have no picture."""
    frame = pd.read_csv(tables / "train.csv")
    frame.loc[[7, 12], "kind"] = frame.loc[[6, 11], "kind"].to_numpy()
    frame.to_csv(tables / "train.csv", index=False)
    for row in (3, 9):
        (tables / frame["file"][row]).write_text("no picture")
    settings = ("images=[file]", "ignore=[note]", f"image_encoder={tiny_vit}", "skip_bad=true")
    given = [each for each in TABLES if not audit or each.startswith(("labeled", "validation", "target"))]
    status, _, err = salutary_label(*given, *settings, "export=cleanlab", f"audit={audit}".lower())
    assert status == 0, err
    found = pd.read_csv(tables / ("audit" if audit else "labels") / "cleanlab.csv")
    assert found["row"].tolist() == [row for row in range(20) if row not in (3, 9)]
    assert found["given_label"].tolist() == frame["kind"][found["row"]].tolist()
    assert found.nsmallest(2, "label_score")["row"].isin([7, 12]).all()
    assert set(found["row"][found["is_label_issue"]]) == {7, 12}


MISTAKES = {
    "a missing column": (["images=[lead]"], r"train\.csv has no column 'lead' to use as images"),
    "numbers": (["images=[size]"], r"train\.csv, column size: it holds numbers, not paths"),
    "twice": (["images=[file]", "categorical=[file]"], "'file' is named twice in numeric"),
    "the target": (["images=[kind]"], "target=kind cannot also be in images"),
    "no such encoder": (["images=[file]", "image_encoder=no/such"], "image_encoder=no/such is no folder"),
    "no encoder of pictures": (["images=[file]", "image_encoder={tiny}"], "does not hold a whole encoder"),
    "neither true nor false": (["images=[file]", "skip_bad=2"], "skip_bad must be true or false, not 2"),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_one_line(mistake, tables, tiny_vit, tiny, salutary_label, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no network")

    hub = type("Hub", (), {"hf_hub_download": staticmethod(no_network)})
    monkeypatch.setattr("salutary.encoders.texts._hub", lambda: hub)
    settings, message = MISTAKES[mistake]
    given = [each.replace("{tiny}", str(tiny)) for each in settings]
    given = given if "image_encoder" in given[-1] else [*given, f"image_encoder={tiny_vit}"]
    status, _, err = salutary_label(*TABLES, *given)
    (line,) = err.strip().splitlines()
    assert status == 1 and re.search(message, line), line
    assert not (tables / "labels").exists()


def test_a_model_whose_encoder_is_not_here(tables, tiny_vit, salutary_label, tmp_path, monkeypatch):
    folder = Path(shutil.copytree(tiny_vit, tmp_path / "vit"))
    assert salutary_label(*TABLES, "images=[file]", "ignore=[note]", f"image_encoder={folder}")[0] == 0
    path, rows = tables / "labels", pd.read_csv(tables / "test.csv")
    expected = load_model(path).predict_proba(rows)
    moved = folder.rename(tmp_path / "elsewhere")
    monkeypatch.setattr("salutary.encoders.texts._hub", lambda: (_ for _ in ()).throw(OSError("no hub")))
    found = load_model(path, image_encoder=str(moved)).predict_proba(rows)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    (moved / "config.json").write_text((moved / "config.json").read_text() + " ")
    with pytest.raises(SalutaryError, match=r"pictures are encoded by vit \(checksum .{8}\), and .* another"):
        load_model(path, image_encoder=str(moved))
    with pytest.raises(SalutaryError, match=r"pictures are encoded by vit: salutary\.load_model applies it"):
        saved_model.load_model(path)


def test_the_pages_show_pictures_and_texts_and_run_nothing(tables, tiny_vit, salutary_label):
    for name in ("train", "val", "pool"):
        frame = pd.read_csv(tables / f"{name}.csv")
        frame["note"] += " <script>alert(1)</script>"
        if name == "train":
            frame.loc[[2, 5], "kind"] = ["blue", "red"]  # wrong
        frame.to_csv(tables / f"{name}.csv", index=False)
    (tables / "pool" / "<b>.png").write_bytes((tables / "pool" / "000.png").read_bytes())
    settings = ("images=[file]", "text=[note]", "encoder=tfidf", f"image_encoder={tiny_vit}")
    assert salutary_label(*TABLES, *settings)[0] == 0
    html = (tables / "labels" / "audit.html").read_text()
    assert "<script" not in html.partition("<body>")[2] and "&lt;script&gt;alert(1)" in html
    assert html.count('src="data:image/jpeg;base64,') >= 8 and ">What was labelled</h2>" in html
    status, _, err = salutary_label(*TABLES[:2], "target=kind", "audit=true", *settings, "output=audit.csv")
    assert status == 0, err
    html = (tables / "audit" / "audit.html").read_text()
    assert (
        "<script" not in html.partition("<body>")[2]
        and "&lt;script&gt;alert(1)" in html
        and "data:image/jpeg" in html
    )


def test_the_page_shows_what_is_asked_for(tables, tiny_vit, salutary_label):
    """In the order of ask.csv: the row, why, its text as text and its picture."""
    frame = pd.read_csv(tables / "pool.csv")
    frame["note"] += " <script>alert(1)</script>"
    frame.to_csv(tables / "pool.csv", index=False)
    settings = ("images=[file]", "text=[note]", "encoder=tfidf", f"image_encoder={tiny_vit}")
    remedied = ("remedies=[labeled]", "model.candidates=[logistic]", "ask=4")
    status, _, err = salutary_label(*TABLES, *settings, *remedied)
    assert status == 0, err
    html = (tables / "labels" / "audit.html").read_text()
    asked = pd.read_csv(tables / "labels" / "ask.csv")
    assert "<script" not in html.partition("<body>")[2]
    section = html.partition(">Where a label of yours would help most</h2>")[2].partition("<h2")[0]
    heads = re.findall(r'<th scope="col"[^>]*>(.*?)</th>', section)
    assert heads == ["row", "expected fall", "what the model thinks", "file", "note", "size", "shop"]
    rows = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in section.split("<tr>")[2:]]
    assert [int(row[0]) for row in rows] == asked["row"].tolist()
    for row, point in zip(rows, asked.to_dict("records"), strict=True):
        assert row[1] == f"{point['expected_fall']:.2g} ± {point['standard_error']:.1g}"
        told = dict(re.findall(r"(\w+) (\d+)%", row[2]))
        assert all(told[k] == f"{100 * point[f'probability_{k}']:.0f}" for k in told) and told
        assert row[3].startswith('<img class="small" src="data:image/jpeg;base64,')
        assert f'title="{point["file"]}"' in row[3] and "&lt;script&gt;alert(1)&lt;/script&gt;" in row[4]


def test_a_page_of_300_pictures_is_below_5_mb(tmp_path):
    """Of noise, which JPEG makes little smaller; of the 300 each is in the gallery, and 40 in the tables,
    beside 100 points that are asked for."""
    rng = np.random.default_rng(0)
    for row in range(300):
        noise = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{row}.png", compress_level=0)
    raw = with_thumbnails(pd.DataFrame({"file": [f"{row}.png" for row in range(300)]}), ["file"], tmp_path)
    labels = pd.DataFrame({"label": ["a", "b"] * 150, "influence": np.arange(300.0), "rank": 0})
    gallery = page._gallery(labels, raw)
    table = page._strongest(labels, raw)
    asked = page.as_table(with_thumbnails(raw[:100].astype(str), ["file"], tmp_path, OF_ASKED))
    frames = "".join(f"{{{{ frame({name}.columns, {name}.rows) }}}}" for name in "tta")
    html = page.Environment(loader=page.PackageLoader("salutary.labeling", "templates"), autoescape=True)
    tables = html.from_string("{% from 'frame.html' import frame %}" + frames).render(t=table, a=asked)
    size = len(tables) + sum(len(p.uri) for each in gallery.values() for p in each)
    assert [len(each) for each in gallery.values()] == [150, 150]
    assert size < 5_000_000


def test_a_full_page_shows_paths(tmp_path):
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    raw = with_thumbnails(pd.DataFrame({"file": ["a.png", "a.png", "gone.png"]}), ["file"], tmp_path)
    first, second, gone = raw["file"]
    assert isinstance(first, Thumbnail) and first.uri.startswith("data:image/jpeg;base64,")
    first.room.left = 10
    assert second.uri is None and gone.uri is None and str(second) == "a.png"


def test_the_pooler_of_a_network_that_has_one(folders, tiny_vit, tmp_path):
    """Of a ResNet, whose pooler is the mean over the last map."""
    import torch
    from transformers import AutoModel, ResNetConfig, ResNetModel

    folder, paths = tmp_path / "resnet", sorted(map(str, (folders / "train" / "red").iterdir()))
    config = ResNetConfig(embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], layer_type="basic")
    with torch.random.fork_rng():
        ResNetModel(config).save_pretrained(folder)
    shutil.copy(tiny_vit / "preprocessor_config.json", folder)
    found = FrozenImages(frozen(str(folder)), "resnet").encode("path", paths)
    encoder = HuggingFaceVision(str(folder))
    encoder.load("cpu")
    pictures = [Image.open(path) for path in paths]
    pixels = encoder._processor(images=pictures, return_tensors="pt")["pixel_values"]
    hidden = AutoModel.from_pretrained(folder).eval()(pixel_values=pixels).last_hidden_state
    assert found.shape == (10, 6)
    np.testing.assert_allclose(found, hidden.mean((2, 3)).detach().numpy(), atol=1e-5)


def test_what_is_asked_and_answered_where_pictures_are_bad(tables, tiny_vit, salutary_label):
    """Rows keep their numbers in the file; answered ones leave the pool, bad ones are no rows of it."""
    for number in (1, 4):
        (tables / "pool" / f"{number:03}.png").write_text("no picture")
    settings = ("images=[file]", "ignore=[note]", f"image_encoder={tiny_vit}", "skip_bad=true")
    remedied = (*TABLES, *settings, "remedies=[labeled]", "model.candidates=[logistic]")
    status, _, err = salutary_label(*remedied, "ask=6", "export=label-studio")
    assert status == 0, err
    asked = pd.read_csv(tables / "labels" / "ask.csv")
    assert not {1, 4} & set(asked["row"]) and len(set(asked["row"])) == 6
    assert asked["file"].tolist() == [f"pool/{row:03}.png" for row in asked["row"]]
    assert facts_of(tables)["asked"]["rows"] == asked["row"].tolist()
    (tasks,) = (tables / "labels" / "label-studio").glob("tasks-*.json")
    shown = [task["data"]["row"]["file"] for task in json.loads(tasks.read_text())]
    assert shown == [f"pool/{row:03}.png" for row in range(30) if row not in (1, 4)]
    asked["kind"] = ["red", "blue"] * 3
    asked.to_csv(tables / "answers.csv", index=False)
    given = ("answers=answers.csv", "output=then.csv", "export=label-studio", "predictions=said.csv")
    status, _, err = salutary_label(*remedied, *given)
    assert status == 0, err
    facts = json.loads((tables / "then" / "facts.json").read_text())
    assert sum(facts["counts"]["labeled"].values()) == 26
    assert not set(asked["row"]) & set(pd.read_csv(tables / "then.csv")["row"])
    assert len(pd.read_csv(tables / "said.csv")) == 28
    (tasks,) = (tables / "then" / "label-studio").glob("tasks-*.json")
    left = [row for row in range(30) if row not in {1, 4, *asked["row"]}]
    assert [task["data"]["row"]["file"] for task in json.loads(tasks.read_text())] == [
        f"pool/{row:03}.png" for row in left
    ]
    pd.DataFrame({"row": [4], "kind": ["red"]}).to_csv(tables / "answers.csv", index=False)
    status, _, err = salutary_label(*remedied, *given[:1], "output=last.csv")
    assert status == 1 and "4 is no row of" in err.replace("'", "")
