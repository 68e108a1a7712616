"""Labelling a pool: the rounds against the experiment loop, cross-fitting against separate labellings,
stopping rules, what is written, what an interruption leaves, and the audit against refits.
"""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import composed
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.preprocessing import StandardScaler

from salutary.errors import SalutaryError
from salutary.experiments import loop
from salutary.experiments.problem import Problem
from salutary.experiments.split import Split
from salutary.labeling import cli, labeler, state
from salutary.labeling import pool as matrices
from salutary.labeling.audit import audit, out_of_fold
from salutary.labeling.comparison import ALTERNATIVE, INITIAL, LABELED, Comparison, Difference
from salutary.labeling.labeler import Labeler, alternative, held_out_when_kept, row_losses
from salutary.labeling.pool import ArrayPool
from salutary.labeling.stopping import Stopping
from salutary.labeling.track import Rows
from salutary.models.logistic import LogisticRegression
from salutary.strategies.salutary import Salutary
from salutary.strategies.salutary_greedy import SalutaryGreedy
from salutary.system.commands import build
from salutary.tables.labels import Classes

LOADERS = {2: load_breast_cancer, 3: load_wine}


def table(n_classes=2):
    X, y = LOADERS[n_classes](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return StandardScaler().fit_transform(X[order]), y[order]


def parts(n_classes=2, n=30, n_validation=60):
    """Labelled rows, validation rows and the pool, (X, y) each."""
    X, y = table(n_classes)
    ends = (slice(n), slice(n, n + n_validation), slice(n + n_validation, None))
    return [(X[rows], y[rows]) for rows in ends]


def rows(X, y):
    return Rows(torch.tensor(X), torch.tensor(y))


def make(n_classes=2, strategy=None, l2=1.0, n=30, n_validation=60, **settings):
    labeled, validation, pool = parts(n_classes, n, n_validation)
    return Labeler(
        rows(*labeled),
        rows(*validation),
        ArrayPool(pool[0]),
        n_classes,
        LogisticRegression(n_classes, l2),
        strategy or SalutaryGreedy(1.0),
        **{"budget": 5, "folds": 3, **settings},
    )


def picked(rounds, track=0):
    return [(r.picks[track].rows.tolist(), r.picks[track].labels.tolist()) for r in rounds[1:]]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("strategy", [SalutaryGreedy(0.5), SalutaryGreedy(0, rerank=5), Salutary()])
def test_the_result_is_that_of_the_experiment_loop(n_classes, strategy):
    found = tuple(make(n_classes, strategy).rounds(Stopping(rounds=3)))
    X, y = table(n_classes)
    initial, validation, pool = np.arange(30), np.arange(30, 90), np.arange(90, len(y))
    split = Split(initial, pool, validation, validation, initial, initial)
    problem = Problem(torch.tensor(X), torch.tensor(y), split, tuple(map(str, range(n_classes))))
    expected = list(loop.run(problem, LogisticRegression(n_classes, 1.0), strategy, 3, 5, 0))
    expected = [record for record in expected if not record.round or record.queries]
    assert len(found) == len(expected) > 2
    for ours, theirs in zip(found[1:], expected[1:], strict=True):
        assert (90 + ours.picks[0].rows).tolist() == [query.sample_id for query in theirs.queries]
        assert ours.picks[0].labels.tolist() == [int(query.assigned_label) for query in theirs.queries]
        assert ours.picks[0].influence.tolist() == [query.influence for query in theirs.queries]
        assert ours.validation[0] == pytest.approx(theirs.validation.loss, rel=1e-12)


def test_each_fold_is_a_labelling_that_saw_the_other_folds_only():
    whole = make(strategy=SalutaryGreedy(1.0, rerank=3))
    found = tuple(whole.rounds(Stopping(rounds=3)))
    (_, _), (X_val, y_val), _ = parts()
    held_out = np.concatenate([track.held_out for track in whole.tracks[1:]])
    assert sorted(held_out) == list(range(len(y_val)))
    for number, track in enumerate(whole.tracks[1:], start=1):
        seen = np.setdiff1d(np.arange(len(y_val)), track.held_out)
        alone = make(strategy=SalutaryGreedy(1.0, rerank=3), folds=0)
        alone.validation = rows(X_val[seen], y_val[seen])
        alone.__post_init__()
        expected = tuple(alone.rounds(Stopping(rounds=3)))
        assert picked(found, number) == picked(expected)
        losses, hits = row_losses(alone.tracks[0].model, rows(X_val[track.held_out], y_val[track.held_out]))
        np.testing.assert_allclose(found[-1].held_out[0][track.held_out], losses, rtol=1e-10)
        assert (found[-1].held_out[1][track.held_out] == hits).all()


def test_held_out_rows_change_nothing_of_what_is_measured_on_them():
    """Were a held-out label to reach its own track, changing it would change that track's picks."""
    first, second = make(), make()
    fold = first.tracks[1].held_out
    y = second.validation.y.clone()
    y[fold] = 1 - y[fold]
    second.tracks[1] = labeler.Track.start(
        second.model, second.labeled, Rows(second.validation.X, y)[
            np.setdiff1d(np.arange(len(y)), fold)
        ], fold, 0
    )  # fmt: skip
    stopping = Stopping(rounds=2)
    assert picked(tuple(first.rounds(stopping)), 1) == picked(tuple(second.rounds(stopping)), 1)


@pytest.mark.parametrize("shortlist", [5, 37, 10_000])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_shortlist_of_any_length_gives_salutary_the_same_points(shortlist, n_classes, monkeypatch):
    monkeypatch.setattr(matrices, "BLOCK_BYTES", 30 * 8 * 17)
    found = tuple(make(n_classes, Salutary(), shortlist=shortlist).rounds(Stopping(rounds=4)))
    assert picked(found) == picked(tuple(make(n_classes, Salutary()).rounds(Stopping(rounds=4))))
    everything = np.concatenate([each.picks[0].rows for each in found[1:]])
    assert len(set(everything)) == len(everything) == 20


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("confidence", [1, 2])
def test_a_labelling_that_stops_has_left_no_sure_point(n_classes, confidence, monkeypatch):
    """Of the whole pool, though its rounds look first at the points of the highest influence."""
    monkeypatch.setattr(matrices, "BLOCK_BYTES", 30 * 8 * 17)
    pool = torch.tensor(parts(n_classes)[2][0])
    n_labels = []
    for shortlist in (5, 10_000):
        found = make(n_classes, SalutaryGreedy(confidence), shortlist=shortlist, folds=2)
        tuple(found.rounds(Stopping(rounds=60, patience=60)))
        assert found.stop == labeler.NOTHING_SURE
        (track, *_) = found.tracks
        influence, error = track.confident(None).score(pool)
        lower = (influence - confidence * error).amax(1)
        left = np.setdiff1d(np.arange(len(pool)), track.taken)
        assert lower[left].max() <= 1e-12
        n_labels.append(len(track.taken))
    assert n_labels[0] >= 0.6 * n_labels[1] > 5


def test_a_pool_is_labelled_to_its_end():
    found = make(strategy=SalutaryGreedy(0), budget=200, folds=0)
    rounds = tuple(found.rounds(Stopping(rounds=50)))
    taken = np.concatenate([each.picks[0].rows for each in rounds[1:]])
    assert len(set(taken)) == len(taken) <= len(found.pool)
    assert found.stop in ("the pool is exhausted", "no point with a positive influence, as sure as was asked")


RULES = [
    (Stopping(rounds=2), "rounds=2"),
    (Stopping(rounds=9, max_labels=7), "max_labels=7"),
    (Stopping(rounds=9, min_influence=1e3), "no influence above min_influence=1000"),
    (Stopping(rounds=9, max_seconds=0), "max_seconds=0"),
    (Stopping(rounds=200), "the pool is exhausted"),
    (Stopping(), "the loss has not fallen for 3 rounds"),
]


@pytest.mark.parametrize("stopping, why", RULES, ids=[why for _, why in RULES])
def test_stopping_rules(stopping, why):
    found = make(strategy=Salutary(), n=20, budget=10, folds=2)
    rounds = tuple(found.rounds(stopping))
    assert found.stop == why
    assert sum(len(each.picks[0]) for each in rounds[1:]) == {"rounds=2": 20, "max_labels=7": 7}.get(
        why, len(found.tracks[0].taken)
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_fold_that_has_taken_the_whole_pool_takes_nothing_more(n_classes):
    found = make(n_classes)
    everything = np.arange(len(found.pool))
    found.tracks[2] = found.tracks[2].grown(everything, found._features(everything), parts(n_classes)[2][1])
    before = found.tracks[2].model.coef_.clone()
    (_, record) = tuple(found.rounds(Stopping(rounds=1)))
    assert [len(picks) > 0 for picks in record.picks] == [True, True, False, True]
    assert record.picks[2].influences.shape == (0, n_classes)
    assert torch.equal(found.tracks[2].model.coef_, before)


def test_confidence_stops_what_is_not_sure():
    found = make(strategy=SalutaryGreedy(1e6))
    assert len(tuple(found.rounds(Stopping(rounds=5)))) == 1
    assert found.stop == "no point with a positive influence, as sure as was asked"


@pytest.mark.parametrize(
    "losses, reason, kept",
    [
        ([3, 2, 1], None, 2),
        ([3, 1, 2, 2], None, 1),
        ([3, 1, 2, 2, 1], "the loss has not fallen for 3 rounds", 1),
        ([1, 2, 3, 4], "the loss has not fallen for 3 rounds", 0),
    ],
)
def test_patience_and_what_is_kept(losses, reason, kept):
    stopping = Stopping(rounds="auto", patience=3)
    assert stopping.reason(losses, 5, 5, 0.0) == reason
    assert stopping.kept(losses) == kept
    assert Stopping(rounds=len(losses) - 1).kept(losses) == len(losses) - 1


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"budget": 0}, "budget must be a whole number >= 1"),
        ({"folds": 1}, "folds must be 0, for no cross-fitting, or at least 2"),
        ({"shortlist": 4}, "shortlist must be a whole number >= 5"),
        ({"strategy": Salutary(hessian="pool")}, "Hessian of the labelled set"),
    ],
)
def test_settings_of_a_labeller(settings, message):
    with pytest.raises(SalutaryError, match=message):
        make(**settings)


def test_strategies_that_ask_a_human_are_refused():
    for name in ("margin", "salutary_gt", "self_training", "random"):
        with pytest.raises(SalutaryError, match="only salutary_greedy and salutary label without a human"):
            make(strategy=build(composed(f"strategy={name}"), "strategy"))


def test_the_alternative_is_trained_on_labelled_and_validation_rows():
    found = make(l2=2.0)
    model, (losses, _) = alternative(found)
    (X, y), (X_val, y_val), _ = parts()
    expected = LogisticRegression(2, 2.0).fit(torch.tensor(np.r_[X, X_val]), torch.tensor(np.r_[y, y_val]))
    torch.testing.assert_close(model.coef_, expected.coef_)
    track = found.tracks[2]
    seen = np.setdiff1d(np.arange(len(y_val)), track.held_out)
    fold = LogisticRegression(2, 2.0).fit(
        torch.tensor(np.r_[X, X_val[seen]]), torch.tensor(np.r_[y, y_val[seen]])
    )
    held_out = rows(X_val[track.held_out], y_val[track.held_out])
    np.testing.assert_allclose(losses[track.held_out], row_losses(fold, held_out)[0], rtol=1e-10)


def test_the_kept_round_is_not_measured_by_what_chose_it():
    found = make(strategy=Salutary(), n=20, budget=10, folds=4)
    stopping = Stopping(patience=8)
    rounds = tuple(found.rounds(stopping))
    losses, hits = held_out_when_kept(found, rounds, stopping)
    of_rounds = np.array([record.held_out[0] for record in rounds])
    for track in found.tracks[1:]:
        others = np.setdiff1d(np.arange(len(losses)), track.held_out)
        kept = of_rounds[:, others].mean(1).argmin()
        assert losses[track.held_out].tolist() == of_rounds[kept, track.held_out].tolist()
        assert hits[track.held_out].tolist() == rounds[kept].held_out[1][track.held_out].tolist()
    assert losses.mean() >= of_rounds.mean(1).min()
    fixed = held_out_when_kept(found, rounds, Stopping(rounds=len(rounds) - 1))
    assert fixed[0].tolist() == rounds[-1].held_out[0].tolist()


def test_differences_are_paired():
    first, second = np.array([1.0, 2.0, 3.0]), np.array([1.5, 2.0, 4.0])
    gap = Difference.of(first, second)
    assert gap.mean == pytest.approx(-0.5)
    assert gap.error == pytest.approx(np.std([-0.5, 0, -1], ddof=1) / 3**0.5)
    assert not gap.is_sure and Difference.of(first, first + 1).is_sure


def test_verdicts():
    base = np.linspace(0.5, 1.5, 100)
    noise = np.random.default_rng(0).normal(size=100)

    def verdict(**shift):
        losses = {INITIAL: base, LABELED: base, ALTERNATIVE: base} | shift
        return Comparison("test rows", losses, dict.fromkeys(losses, base > 1)).verdict()

    assert verdict(salutary=base - 0.4).startswith("Best on test rows: salutary labelling, by more than 2")
    better = verdict(labeled_and_validation=base - 0.4, salutary=base - 0.39 + 0.2 * noise)
    assert better.startswith("Best on test rows: trained on labelled + validation rows; the difference to")
    assert "initial" not in better and "within 2 standard errors" in better
    assert verdict(salutary=base + 1, labeled_and_validation=base + 1).startswith(
        "Best on test rows: initial model, by more"
    )


# The command


@pytest.fixture
def salutary_label(command):
    """``salutary-label`` in this process, from an empty directory: arguments to (status, stdout, stderr)."""
    return partial(command, cli.main, "salutary-label")


FILES = ("labeled=train.csv", "validation=val.csv", "pool=pool.parquet", "target=kind")


@pytest.fixture
def files(tmp_path):
    """Breast cancer as its users have it: an id, gaps, a category, a file for each part; the pool's truth."""
    frame = load_breast_cancer(as_frame=True).frame.iloc[:, [0, 1, 5, 7, 22, 30]]
    frame = frame.sample(frac=1, random_state=0, ignore_index=True)
    frame["kind"] = frame.pop("target").map({0: "malignant", 1: "benign"})
    frame.insert(0, "patient", [f"p{i}" for i in range(len(frame))])
    frame["size"] = pd.cut(frame["mean radius"], [0, 12, 15, 18, 99], labels=["S", "M", "L", "XL"]).astype(
        str
    )
    frame.loc[::7, "size"] = None
    frame.loc[::5, "mean texture"] = None
    frame[:60].to_csv(tmp_path / "train.csv", index=False)
    frame[60:160].to_csv(tmp_path / "val.csv", index=False)
    frame[160:260].to_csv(tmp_path / "test.csv", index=False)
    pool = frame[260:].reset_index(drop=True)
    pool.drop(columns="kind").to_parquet(tmp_path / "pool.parquet", index=False)
    return pool


def test_a_saved_model_reads_rows_as_it_was_trained(salutary_label, tmp_path):
    """Codes, truth values, numbers that are categories, blanks: what pandas makes of them is other values."""
    import skops.io

    from salutary import read_rows

    rng = np.random.default_rng(0)
    kinds = rng.integers(3, size=400)
    values = {
        " code": np.array(["001", "002", "010"])[kinds],
        "truth": np.where(kinds > 0, "True", "False"),
        "number": kinds + 1,
        "blank": np.array([" a", "b ", " c "])[kinds],
    }
    table = pd.DataFrame({**values, "x": rng.normal(size=400), "y": np.where(kinds == 1, "yes", "no")})
    for name, rows in {
        "l": slice(60),
        "v": slice(60, 140),
        "p": slice(140, 200),
        "t": slice(200, None),
    }.items():
        table[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    settings = ("labeled=l.csv", "validation=v.csv", "pool=p.csv", "test=t.csv", "target=y")
    status, _, err = salutary_label(*settings, "categorical=[number]", "rounds=1", "folds=0")
    assert status == 0, err
    facts = json.loads((tmp_path / "labels" / "facts.json").read_text())
    reported = facts["comparisons"][0]["models"]["salutary"]["accuracy"]
    assert reported > 0.99
    model = skops.io.load(tmp_path / "labels" / "model.skops", trusted=["numpy.dtype"])
    truth = table["y"][200:].to_numpy()
    assert np.mean(model.predict(read_rows(tmp_path / "t.csv", model)) == truth) == pytest.approx(reported)
    frame = pd.read_csv(tmp_path / "t.csv").rename(columns=str.strip)
    with pytest.warns(UserWarning, match="Found unknown categories"):
        model.predict(frame)
    with pytest.raises(SalutaryError, match="has no column 'blank'"):
        frame.drop(columns="blank").to_csv(tmp_path / "less.csv")
        read_rows(tmp_path / "less.csv", model)
    with pytest.raises(SalutaryError, match="must be one that salutary-label"):
        read_rows(tmp_path / "t.csv", model[-1])


def test_labels_and_everything_beside_them(salutary_label, files, tmp_path):
    import skops.io

    status, out, err = salutary_label(
        *FILES, "test=test.csv", "id=patient", "rounds=2", "strategy.confidence=0"
    )
    assert status == 0, err
    labels = pd.read_parquet(tmp_path / "labels.parquet")
    expected = ["patient", "row", "label", "influence", "influence_benign", "influence_malignant"]
    assert list(labels) == [*expected, "prediction", "probability", "round", "rank"]
    assert len(labels) == 20 and labels["row"].is_unique
    assert (labels["patient"] == files["patient"][labels["row"]].to_numpy()).all()
    assert labels["round"].tolist() == [1] * 10 + [2] * 10 and (labels["influence"] > 0).all()
    inside = {path.name for path in (tmp_path / "labels").iterdir()}
    written = {"model.skops", "alternative.skops", "MODEL_CARD.md", "audit.html", "curves.csv", "facts.json"}
    assert inside == written
    assert "20 labels in 2 rounds" in out and "trained on labelled + validation rows" in out
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob(".*"))

    model = skops.io.load(tmp_path / "labels" / "model.skops", trusted=["numpy.dtype"])
    facts = json.loads((tmp_path / "labels" / "facts.json").read_text())
    test = pd.read_csv(tmp_path / "test.csv")
    of_test = facts["comparisons"][0]["models"]["salutary"]
    assert np.mean(model.predict(test) == test["kind"]) == pytest.approx(of_test["accuracy"])
    truth = (test["kind"] == "malignant").to_numpy(int)
    probabilities = model.predict_proba(test)
    assert list(model.classes_) == ["benign", "malignant"]
    loss = -np.log(probabilities[np.arange(len(truth)), truth]).mean()
    assert loss == pytest.approx(of_test["loss"], rel=1e-9)
    curves = pd.read_csv(tmp_path / "labels" / "curves.csv")
    assert curves["n_added"].tolist() == [0, 10, 20]
    held_out = facts["comparisons"][1]["models"]["salutary"]
    assert curves["held_out_loss"].iloc[-1] == pytest.approx(held_out["loss"])
    page = (tmp_path / "labels" / "audit.html").read_text()
    assert facts["comparisons"][0]["verdict"] in page and "p" + str(260 + labels["row"][0]) in page


def test_labels_that_a_pool_has_after_all_are_told_and_not_used(salutary_label, files, tmp_path):
    assert salutary_label(*FILES, "rounds=2", "output=without.csv")[0] == 0
    full = pd.read_csv(tmp_path / "train.csv").iloc[:0]
    truth = load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=0, ignore_index=True)[
        "target"
    ]
    files.assign(kind=truth[260:].map({0: "malignant", 1: "benign"}).to_numpy())[full.columns].to_csv(
        tmp_path / "pool.csv", index=False
    )
    assert salutary_label(*FILES[:2], "pool=pool.csv", FILES[3], "rounds=2", "output=with.csv")[0] == 0
    without, labels = (pd.read_csv(tmp_path / name) for name in ("without.csv", "with.csv"))
    pd.testing.assert_frame_equal(labels.drop(columns="true_label"), without)
    agreement = f"{100 * (labels['label'] == labels['true_label']).mean():.0f}% of the assigned ones"
    assert agreement in (tmp_path / "with" / "audit.html").read_text()


@pytest.mark.parametrize("name", ["pool.csv", "pool.feather", "pool.npz", "pool.csv.gz", "folder"])
def test_one_answer_for_every_form_of_a_pool(salutary_label, files, tmp_path, name, monkeypatch):
    monkeypatch.setattr(matrices, "BLOCK_BYTES", 4 * 10 * 50)
    settings = ("strategy=salutary", "rounds=2", "shortlist=40", "folds=2")
    numbers = ("ignore=[size]",) if name == "pool.npz" else ()
    assert salutary_label(*FILES, *settings, *numbers, "output=expected.csv")[0] == 0
    pool = pd.read_parquet(tmp_path / "pool.parquet")
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
        pool[:100].to_parquet(path / "a.parquet", index=False)
        pool[100:].to_parquet(path / "b.parquet", index=False)
    elif name == "pool.npz":
        np.savez(
            path, **{column: pool[column].to_numpy() for column in pool.drop(columns=["patient", "size"])}
        )
    elif name == "pool.feather":
        pool.to_feather(path)
    else:
        pool.to_csv(path, index=False)
    found = salutary_label(*FILES[:2], f"pool={path}", FILES[3], *settings, *numbers, "output=found.csv")
    assert found[0] == 0, found
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


@pytest.mark.parametrize("last", [0, 1, 3])
def test_an_interrupted_labelling_goes_on(salutary_label, files, tmp_path, monkeypatch, last):
    settings = (*FILES, "id=patient", "rounds=4", "strategy.confidence=0", "shortlist=50")
    assert salutary_label(*settings, "output=expected.csv")[0] == 0
    add, seen = state.State.add, []

    def interrupted(self, record):
        add(self, record)
        seen.append(record.number)
        if record.number == last and len(seen) == last + 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(state.State, "add", interrupted)
    status, _, err = salutary_label(*settings, "output=found.csv")
    assert status == 130 and "goes on" in err
    assert not (tmp_path / "found.csv").exists() and (tmp_path / "found.partial" / "pool.npy").exists()
    assert salutary_label(*settings, "output=found.csv")[0] == 0
    assert seen == [0, 1, 2, 3, 4]  # no round was done twice
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    for name in ("model.skops", "alternative.skops"):
        found, expected = ((tmp_path / each / name).stat().st_size for each in ("found", "expected"))
        assert found == expected
    curves = [
        pd.read_csv(tmp_path / each / "curves.csv").drop(columns="seconds") for each in ("found", "expected")
    ]
    pd.testing.assert_frame_equal(*curves)
    assert not (tmp_path / "found.partial").exists()


def test_other_data_or_settings_start_afresh(salutary_label, files, tmp_path, monkeypatch):
    add = state.State.add

    def interrupted(self, record):
        add(self, record)
        if record.number == 1:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(state.State, "add", interrupted)
        assert salutary_label(*FILES, "rounds=2", "output=found.csv")[0] == 130
    assert salutary_label(*FILES, "rounds=2", "budget=3", "output=found.csv")[0] == 0
    assert salutary_label(*FILES, "rounds=2", "budget=3", "output=expected.csv")[0] == 0
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_the_walk_through_of_the_readme_prints_what_it_says(salutary_label, tmp_path):
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    section = readme.partition("## Label your own pool")[2].partition("\n## ")[0]
    (code, _) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    exec(compile(code, "README.md", "exec"), {})
    commands = re.findall(r"^    salutary-label (.*)$", section, re.MULTILINE)
    status, out, err = salutary_label(*commands[0].split())
    assert status == 0, err
    printed = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    for line in filter(None, map(str.strip, out.splitlines())):
        assert any(line.partition(";")[0] == each.partition(";")[0] for each in printed), line
    model = json.loads((tmp_path / "labels" / "facts.json").read_text())["comparisons"][0]["best"]
    assert model == ALTERNATIVE and "`labels/alternative.skops`" in section
    target = load_breast_cancer(as_frame=True).target.map({0: "malignant", 1: "benign"})
    labels = pd.read_csv(tmp_path / "labels.csv", index_col="id")["label"]
    assert (labels == target[labels.index]).all() and "All 78 are the\ntruth" in section
    assert salutary_label(*commands[1].split())[0] == 0


def test_what_is_there_is_not_replaced_unasked(salutary_label, files, tmp_path):
    (tmp_path / "labels.csv").write_text("mine")
    status, _, err = salutary_label(*FILES, "rounds=1", "output=labels.csv")
    assert status == 1 and "labels.csv is there already: force=true replaces it" in err
    assert (tmp_path / "labels.csv").read_text() == "mine"
    assert salutary_label(*FILES, "rounds=1", "output=labels.csv", "force=true")[0] == 0
    assert len(pd.read_csv(tmp_path / "labels.csv"))


@pytest.mark.parametrize("folder", ["labels", "labels.partial"])
def test_folders_of_others_are_never_replaced(salutary_label, files, tmp_path, folder):
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "thesis.txt").write_text("mine")
    status, _, err = salutary_label(*FILES, "rounds=1", "output=labels.csv", "force=true")
    assert status == 1 and f"{folder} is" in err and len(err.strip().splitlines()) == 1
    assert (tmp_path / folder / "thesis.txt").read_text() == "mine"
    assert not (tmp_path / "labels.csv").exists()


def test_help_and_composed_settings(salutary_label):
    status, out, _ = salutary_label("--help")
    assert status == 0 and "salutary-label labeled=train.csv" in out and "max_seconds: null" in out
    status, out, _ = salutary_label("--cfg", "labeled=a (1), b='c'.csv", "strategy=salutary")
    assert status == 0 and "a (1), b='c'.csv" in out and "hessian: labeled" in out
    status, _, err = salutary_label("-m", *FILES)
    assert status == 1 and "-m is no setting" in err


@pytest.mark.parametrize(
    "setting, message",
    [
        ("strategy._target_=nonsense", r"strategy\._target_=nonsense is no class"),
        ("~strategy", "strategy"),
        ("model._target_=salutary.nothing", "salutary.nothing"),
    ],
)
def test_classes_that_are_none(salutary_label, files, tmp_path, setting, message):
    before = set(tmp_path.rglob("*"))
    status, _, err = salutary_label(*FILES, setting)
    assert status == 1 and re.search(message, err) and len(err.strip().splitlines()) == 1, err
    assert set(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    "path", ["a b.csv", "a=b.csv", "a,(b).csv", "a'b\".csv", "a\\b.csv", "null.csv", "ü[1].csv", "${x}.csv"]
)
def test_paths_are_taken_as_they_are(salutary_label, path):
    import yaml

    status, out, err = salutary_label("--cfg", f"pool={path}", f"labeled={path}\\")
    assert status == 0, err
    settings = yaml.safe_load(out)
    assert settings["pool"] == path and settings["labeled"] == path + "\\"


# The audit


def clean_and_flipped(n_classes, l2):
    (X, y), (X_val, y_val), _ = parts(n_classes, n=60)
    y = y.copy()
    y[:6] = (y[:6] + 1) % n_classes
    return rows(X, y), rows(X_val, y_val), LogisticRegression(n_classes, l2)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_harm_and_gain_are_what_refits_say(n_classes):
    labeled, validation, model = clean_and_flipped(
        n_classes, 2000.0
    )  # where a row moves the model little, but
    model.fit_intercept = False  # for an intercept, which has no penalty
    classes = Classes(tuple(map(str, range(n_classes))))
    found = audit(labeled, validation, model, classes, 0).sort_values("row")
    base = row_losses(model.fit(labeled.X, labeled.y), validation)[0].mean()
    harm, gain = [], []
    for row, suggested in zip(found["row"], found["suggested_label"], strict=True):
        others = np.delete(np.arange(len(labeled)), row)
        refit = model.fit(labeled.X[others], labeled.y[others])
        harm.append(base - row_losses(refit, validation)[0].mean())
        y = labeled.y.clone()
        y[row] = int(suggested)
        gain.append(base - row_losses(model.fit(labeled.X, y), validation)[0].mean())
    for name, real in {"harm": harm, "gain": gain}.items():
        error = np.abs(found[name] - real).mean() / np.abs(real).mean()
        assert error < 0.02, (name, error)
        assert np.corrcoef(found[name], real)[0, 1] > 0.999


def test_probabilities_are_of_models_that_did_not_see_the_row():
    labeled, validation, model = clean_and_flipped(2, 1.0)
    P = out_of_fold(labeled, validation, model, 0)
    y = labeled.y.clone()
    y[7] = 1 - y[7]
    other = out_of_fold(Rows(labeled.X, y), validation, model, 0)
    np.testing.assert_allclose(P[7], other[7], rtol=1e-12)
    assert not np.allclose(P, other)


def test_audit_command(salutary_label, files, tmp_path):
    train = pd.read_csv(tmp_path / "train.csv")
    flipped = [3, 17, 40]
    train.loc[flipped, "kind"] = train.loc[flipped, "kind"].map(
        {"benign": "malignant", "malignant": "benign"}
    )
    train.to_csv(tmp_path / "train.csv", index=False)
    status, out, err = salutary_label(*FILES[:2], FILES[3], "id=patient", "audit=true")
    assert status == 0, err
    found = pd.read_csv(tmp_path / "audit.csv")
    expected = ["patient", "row", "label", "harm", "standard_error", "suggested_label", "gain", "probability"]
    assert list(found) == [*expected, "prediction"]
    assert len(found) == 60 and found["harm"].is_monotonic_decreasing
    assert len(set(found["row"][:10]) & set(flipped)) >= 2
    assert (found["patient"] == [f"p{row}" for row in found["row"]]).all()
    page = (tmp_path / "audit" / "audit.html").read_text()
    assert "Rows that hurt most" in page and "60 labelled rows" in out
