"""Figures as they are printed: colours and names told apart, sizes, fonts, and what an axis leaves out."""

import itertools
import re
import runpy
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.text import Text
from written_runs import write_run

from salutary.analysis import report
from salutary.analysis.curves import draw_curves
from salutary.analysis.formats import figure_file
from salutary.analysis.layout import legend, panels, set_title, without_far_ones, wrapped
from salutary.analysis.sections import Records, figure1, figure3, figure5
from salutary.analysis.style import LOOKS, OWN_COLORS, STYLES, WIDTHS, looks

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as it is seen without one kind of cones.
SEEN = {
    "all": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ],
}
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.072175],
    [0.0193339, 0.119192, 0.9503041],
]
PAPER = STYLES["paper"]


# -- colours -----------------------------------------------------------------------------------------


def lab(color, cones):
    """CIE L*a*b* (D65) of a colour as seen with these cones."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    xyz = TO_XYZ @ np.clip(SEEN[cones] @ linear, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def test_the_simulation_sees_what_is_known():
    assert lab("white", "all") == pytest.approx([100, 0, 0], abs=0.02)
    for cones in SEEN:
        assert lab("#7f7f7f", cones) == pytest.approx(lab("#7f7f7f", "all"), abs=0.1)  # greys stay grey
    near = np.linalg.norm(lab("#C00000", "no green") - lab("#5c6f00", "no green"))
    assert near < np.linalg.norm(lab("#C00000", "all") - lab("#5c6f00", "all")) / 4


@pytest.mark.parametrize("cones", SEEN)
@pytest.mark.parametrize(
    "colors", [{each.color for each in LOOKS.values()}, set(OWN_COLORS)], ids=["house", "own"]
)
def test_colours_are_told_apart_by_colour_blind_readers(colors, cones):
    """2.3 is just noticeable side by side."""
    pairs = itertools.combinations(sorted(colors), 2)
    assert min(np.linalg.norm(lab(a, cones) - lab(b, cones)) for a, b in pairs) > 15


def test_own_strategies_keep_their_colours_beside_others():
    alone = looks(["mine"])["mine"]
    among = looks(["random", "mine", "another", "third", "salutary"])
    assert among["mine"].color == alone.color == looks(["mine (l2=1)"])["mine (l2=1)"].color
    many = looks([f"own{i}" for i in range(20)]).values()
    assert len({(each.color, each.linestyle, each.marker) for each in many}) == 20
    assert len({each.color for each in looks([f"own{i}" for i in range(len(OWN_COLORS))]).values()}) == len(
        OWN_COLORS
    )
    assert {each.color for each in many} & {LOOKS[name].color for name in LOOKS} == set()


def test_what_a_figure_is_about_stands_out():
    standing = {name for name, each in LOOKS.items() if each.stands_out}
    assert standing == {"salutary", "salutary_greedy"} and looks(["mine"])["mine"].stands_out
    assert min(LOOKS[name].weight for name in standing) > max(
        each.weight for name, each in LOOKS.items() if name not in standing
    )


# -- layout ------------------------------------------------------------------------------------------


def boxes(figure):
    """The figure's box and those of its legends and of all that is written, in pixels."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    legends = [*figure.legends, *(axis.get_legend() for axis in figure.axes if axis.get_legend())]
    texts = [each for each in figure.findobj(Text) if each.get_text() and each.get_visible()]
    return figure.bbox, legends, [each.get_window_extent() for each in [*legends, *texts]]


@pytest.mark.parametrize("width", [3.3, 6.8])
@pytest.mark.parametrize(("n", "letters"), [(1, 40), (3, 40), (7, 40), (7, 90), (2, 120)])
def test_legends_are_never_cut(width, n, letters):
    names = [f"strategy_{i} (" + "setting=1, " * 20 for i in range(5)]
    handles = [Line2D([], [], label=f"{name[: letters - 1]})") for name in names]
    handles.append(Line2D([], [], label="x" * letters))
    with PAPER.of_width(width).applied():
        figure, axes = panels(n, 3)
        for axis in axes:
            set_title(axis, "a table with a name that is as long as forty")
        legend(figure, axes, handles)
        whole, legends, found = boxes(figure)
    assert figure.get_figwidth() == width and len(legends) == 1
    for box in found:
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1 and whole.y0 <= box.y0 < box.y1 <= whole.y1
    over = [axis for axis in axes if axis.get_tightbbox().overlaps(legends[0].get_window_extent())]
    assert (
        over == [] and [each.get_text().replace("\n", "") for each in legends[0].texts][-1] == "x" * letters
    )


def test_lines_are_no_longer_than_they_may():
    with PAPER.applied():
        assert wrapped("short", 1, 7) == "short"
        lines = wrapped("one two three four five six", 0.6, 7).split("\n")
        assert len(lines) > 1 and " ".join(lines) == "one two three four five six"


# -- what an axis leaves out ---------------------------------------------------------------------------


def test_values_that_are_far_off_are_left_out():
    near = np.linspace(0, 10, 99)
    assert without_far_ones(near) is None and without_far_ones(np.append(near, 15.0)) is None
    low, high = without_far_ones(np.concatenate([near, [-40, 90]]))
    assert (low, high) == pytest.approx((-0.5, 10.5))
    assert without_far_ones(np.concatenate([near, np.full(12, -40)])) is None  # more than few
    assert without_far_ones(np.array([])) is None and without_far_ones(np.full(9, np.nan)) is None
    assert without_far_ones(np.append(np.zeros(99), 1)) is None  # nothing to compare its distance with


def rounds(values):
    """Of one table: strategies to a value by round, in two seeds that are .02 apart."""
    rows = [
        {
            "run": f"{s}{seed}",
            "dataset": "celeba",
            "strategy": s,
            "seed": seed,
            "round": r,
            "test_accuracy": v,
        }
        for s, each in values.items()
        for seed in (0, 1)
        for r, v in enumerate(np.array(each) + 0.02 * seed)
    ]
    return pd.DataFrame(rows)


def lines(level):
    return pd.DataFrame(
        {
            "dataset": ["celeba"],
            "line": "labeled_and_validation",
            "strategy": "labeled_and_validation",
            "seed": 0,
        }
    ).assign(test_accuracy=level)


def test_a_fall_that_would_take_the_axis_is_marked():
    values = {f"s{i}": 0.8 + 0.004 * np.arange(11) + 0.001 * i for i in range(9)}
    falls = {**values, "salutary": [0.8, 0.4, 0.3, *[0.83] * 8]}
    with PAPER.applied():
        (axis, *_) = draw_curves(rounds(falls), lines(0.9)).axes
        (plain, *_) = draw_curves(rounds(values), lines(0.9)).axes
    assert axis.get_ylim() == pytest.approx((81 - 0.05 * 4.8, 90))  # from the lowest that is left to L + V
    assert [text.get_text() for text in axis.texts] == ["Salutary down to 31"]
    (marks,) = (
        each
        for each in axis.collections
        if each.get_transform() != axis.transData and len(each.get_offsets()) == 2
    )
    assert marks.get_offsets().tolist() == [[1, 0], [2, 0]]
    assert not any("down to" in text.get_text() for text in plain.texts)


def test_of_many_curves_those_that_stand_out_have_bands():
    values = {name: 0.6 + 0.01 * i + 0.01 * np.arange(4) for i, name in enumerate(LOOKS)}
    with PAPER.applied():
        (axis, *_) = draw_curves(rounds(values), lines(0.9)).axes
        (few, *_) = draw_curves(rounds({name: values[name] for name in ("random", "badge")}), lines(0.9)).axes
    bars = [each for each in axis.containers if type(each).__name__ == "ErrorbarContainer"]
    assert len(bars) == len(LOOKS) and not few.containers
    heights = [np.ptp(bar.lines[2][0].get_segments()[0][:, 1]) for bar in bars]
    assert heights == pytest.approx([2 * 100 * 0.02 / 2**0.5] * len(LOOKS))
    bands = [type(each).__name__ for each in axis.collections].count("FillBetweenPolyCollection")
    assert bands in (0, 2) and "± sd" in [each.get_text() for each in axis.get_xticklabels()]


def test_curves_of_no_round_have_one_tick():
    with PAPER.applied():
        (axis, *_) = draw_curves(rounds({"random": [0.7], "salutary": [0.8]}), lines(0.9)).axes
    assert [each.get_text() for each in axis.get_xticklabels()] == ["0"]


def test_figure_1_ends_with_its_bins():
    """A few points of huge influence left half of it empty."""
    bins = pd.DataFrame(
        [
            {
                "dataset": "bank",
                "part": part,
                "bin": b,
                "influence": b / 10,
                "accuracy_true": 0.5,
                "accuracy_salutary": 0.6,
            }
            for part in ("labeled", "pool")
            for b in range(5)
        ]
    )
    counts = pd.DataFrame({"low": [0, 0.2, 0.9], "high": [0.2, 0.4, 1.0], "count": [9, 5, 2]})
    counts = pd.concat([counts.assign(dataset="bank", seed=0, part=part) for part in ("labeled", "pool")])
    with PAPER.applied():
        axis = figure1.draw_bins(bins, counts, pd.Series({"bank": 55.0}), "bank").axes[0]
    assert axis.get_xlim() == pytest.approx((-16, 416))  # thousandths
    assert [text.get_text() for text in axis.texts] == ["2 of 16 points further right, up to 1000"]


def test_figure_3_names_what_lies_outside():
    actual = np.linspace(-1, 1, 100)
    points = pd.DataFrame(
        {"dataset": "celeba", "seed": 0, "actual": actual, "newton": actual, "gradient": actual}
    )
    points.loc[0, "gradient"] = 30.0
    with PAPER.applied():
        axis = figure3.draw_estimates(points).axes[0]
    assert axis.get_xlim()[1] < 1500
    assert [text.get_text() for text in axis.texts] == ["the paper's influence: 1 beyond the edge, at 30000"]


# -- files -------------------------------------------------------------------------------------------


@pytest.fixture
def experiments(tmp_path):
    """Runs of table 4 and figure 5, of numbers that are made up."""
    for name in ("table4", "figure5"):
        for dataset, strategy, seed in itertools.product(
            ("electrical", "celeba", "waveform"), ("random", "badge", "salutary"), (0, 1)
        ):
            write_run(tmp_path / "outputs" / name, dataset, strategy, seed)
    return tmp_path / "outputs"


def test_panels_of_figure_5_stand_as_in_the_paper(experiments):
    axes = figure5.section(Records([experiments / "figure5"])).figures["figure5"].axes
    assert [axis.get_title().split(" (")[0] for axis in axes[:3]] == ["CelebA", "Waveform", "Electrical"]


@pytest.mark.parametrize("width", ["column", "text"])
def test_one_figure_for_print(width, experiments, command, monkeypatch):
    monkeypatch.chdir(experiments.parent)
    arguments = ("figure=2", "style=paper", f"width={width}", "format=pdf,svg")
    written = []
    for folder in ("once", "again"):
        status, _, err = command(report.plot, "salutary-plot", "outputs", *arguments, "-o", folder)
        assert status == 0, err
        written.append({path.name: path.read_bytes() for path in Path(folder).iterdir()})
    assert written[0] == written[1] and set(written[0]) == {"figure2.pdf", "figure2.svg"}
    pdf, svg = written[0]["figure2.pdf"], written[0]["figure2.svg"].decode()
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", pdf)
    assert float(box[0]) == pytest.approx(72 * WIDTHS[width])
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf and b"/CreationDate" not in pdf
    assert "<text" not in svg and "<dc:date>" not in svg


def test_the_script_takes_the_same_arguments(experiments, monkeypatch, tmp_path):
    """Of a folder of one experiment, too, and in a width of one's own."""
    script = Path(__file__).parents[2] / "scripts" / "plot_figures.py"
    arguments = (
        experiments / "figure5",
        "figure=5",
        "style=paper",
        "width=5",
        "figures=png",
        "-o",
        tmp_path / "p",
    )
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    runpy.run_path(str(script), run_name="__main__")
    content = (tmp_path / "p" / "figure5.png").read_bytes()
    assert int.from_bytes(content[16:20], "big") == 5 * PAPER.dpi


def test_text_is_legible_at_print_size(experiments):
    with PAPER.applied():
        figure = figure5.section(Records([experiments / "figure5"])).figures["figure5"]
        figure_file(figure, "pdf")
    sizes = {each.get_size() for each in figure.findobj(Text) if each.get_text() and each.get_visible()}
    assert sizes and min(sizes) >= 7 and max(sizes) <= 8
    assert matplotlib.rcParams["font.size"] != PAPER.text  # the style ends with its block


BAD = {
    "figure=7": "figure=7: there are 1, 2, 3, 4, 5, 6, all",
    "figure=1": "figure=1: no records in outputs/figure1; `salutary-run experiment=figure1` makes them",
    "style=journal": "style=journal: there are screen, paper",
    "width=1": "width=1: there are column, text, and inches from 2 to 30",
    "width=wide": "width=wide: there are column, text, and inches from 2 to 30",
    "width=nan": "width=nan: there are column, text, and inches from 2 to 30",
    "figure=2 metric=loss": "metric= of own runs, and figure=2 of the paper's",
    "baseline=random": "baseline= is no option; there are figure, style, width, format, metric, x, where",
}


@pytest.mark.parametrize("options", BAD)
def test_a_bad_option_is_one_line(options, experiments, command, monkeypatch):
    monkeypatch.chdir(experiments.parent)
    status, _, err = command(report.plot, "salutary-plot", "outputs", *options.split())
    assert status == 1 and err.startswith(f"salutary-plot: {BAD[options]}") and "\n" not in err
    assert not Path("figures").exists()


# -- the page ----------------------------------------------------------------------------------------


def test_the_page_begins_with_what_came_out_and_says_where_from(experiments, command, monkeypatch):
    monkeypatch.chdir(experiments.parent)
    write_run(Path("outputs"), "bank", "mine", 0)
    write_run(Path("outputs"), "bank", "random", 0)
    status, _, err = command(report.report, "salutary-report", "outputs")
    assert status == 0, err
    text, page = (Path("report", name).read_text() for name in ("report.md", "report.html"))
    brief, rest = re.split(r"^[\d,]+ runs, ", text, maxsplit=1, flags=re.MULTILINE)
    assert "**In ten seconds**" in brief and "(#figure-5-a-budget-of-1-of-the-pool)" in brief
    assert "of the paper's strategies on 0 of 3 tables" in brief  # badge is worth as much
    assert "2 seeds: too few for a claim" in brief
    assert "the best mean accuracy, +" in brief and "too few tables for a test" in brief
    assert 'id="figure-5-a-budget-of-1-of-the-pool"' in page and 'href="#figure-5-a-budget-of-1-of' in page
    assert "*From 18 runs (18 s) in `outputs/figure5`, made by `salutary-run experiment=figure5`" in rest
    assert "section figure5. Numbers: [figure5.csv](figure5.csv)" in rest
    runs = pd.read_csv("report/runs.csv")
    assert runs["section"].value_counts().to_dict() == {"table4": 18, "figure5": 18, "own": 2}
    assert all(Path("outputs", run, "run.json").exists() for run in runs["run"])
    for name in re.findall(r"\]\(([\w.-]+)\)", text):
        assert Path("report", name).exists(), name


def test_captions_can_be_seen(experiments, command, monkeypatch):
    monkeypatch.chdir(experiments.parent)
    assert command(report.report, "salutary-report", "outputs")[0] == 0
    text, page = (Path("report", name).read_text() for name in ("report.md", "report.html"))
    captions = re.findall(r"^!\[(.+?)\]\(.+?\)\n\n\*(.+?)\*$", text, re.MULTILINE)
    assert len(captions) == text.count("![") and all(alt == shown for alt, shown in captions)
    assert re.findall("<figcaption>(.+?)</figcaption>", page) == [alt for alt, _ in captions]
