"""Names that users gave, on a page of Markdown and HTML."""

import html as entities
import re
import xml.etree.ElementTree as ET

import pandas as pd
import pytest
from markdown_it import MarkdownIt
from written_runs import write_run

from salutary.analysis.page import html
from salutary.analysis.report import write_report
from salutary.analysis.sections import markdown_table, plain

NAMES = [
    *("a|b.csv", "my|strat", "__all__", "a*b*.csv", "[x](http://h)", "![i](x.png)", "<b>x</b>", "a\\b"),
    *("a\\|b", "Musk_v2", "-2.0*", "~~no~~", "&lt;", "_x_", "**b**", "[a][b]", "*", "x_", "a`b"),
    *("[+0.3, +2.1], 4/0/1", "# h", "1. x", "- y", "a & b", "{x}"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_shown_as_it_is(name):
    table = pd.DataFrame({name: [name, "other"]}, index=[name, "x"])
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(markdown_table(table))
    cells = [entities.unescape(each) for each in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", shown)]
    assert cells == ["", name, name, name, "x", "other"]


def test_code_stays_code():
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(markdown_table(pd.DataFrame({"`a|b`": ["x"]})))
    assert "<code>a|b</code>" in shown
    assert plain(1.5) == 1.5


def test_pages_are_well_formed():
    table = pd.DataFrame({"x": ["1", "1", "2"], "y": ["1", "1", "2"]}, index=["1", "1", "2"])
    page = html(f"# T\n\n## S & T\n\n{markdown_table(table)}\n\n![c](f.png)\n", {"f.png": b"png"})
    body = re.search(r"<main>.*</main>", page, re.DOTALL)[0]
    tree = ET.fromstring(re.sub(r"<(img|br)([^>]*[^/])>", r"<\1\2/>", body))
    rows = tree.findall(".//tbody/tr")
    assert [[cell.tag for cell in row] for row in rows] == [["th", "td", "td"]] * 3
    assert all(row[0].get("scope") == "row" for row in rows)


def test_a_report_of_awkward_names_loses_no_number(tmp_path):
    for seed in range(3):
        for strategy in ("random", "my|str_at_"):
            write_run(tmp_path / "runs", "a_b", strategy, seed)
    write_report(tmp_path / "runs", tmp_path / "page")
    page = (tmp_path / "page" / "report.html").read_text()
    rows = re.findall(r'<th[^>]* scope="row">my\|str_at_</th>\s*<td[^>]*>(.*?)</td>', page)
    assert len(rows) >= 2 and all(any(character.isdigit() for character in row) for row in rows)
