"""docs/bad_files.md, made of the cases that the tests run: ``python tests/bad_files_page.py``."""

from pathlib import Path

import bad_columns
import bad_files
import bad_formats
import told_files

PAGE = Path(__file__).parents[1] / "docs" / "bad_files.md"
REFUSED = {
    "Files": bad_files.FILES,
    "CSV": bad_files.CSV,
    "Parquet": bad_files.PARQUET,
    "NPZ": bad_files.NPZ,
    "Excel": bad_formats.EXCEL,
    "JSON": bad_formats.JSON,
    "Embeddings": bad_formats.EMBEDDINGS,
    "Databases": bad_formats.SQL,
    "Columns": bad_columns.COLUMNS,
    "Values": bad_columns.VALUES,
    "Classes": bad_columns.CLASSES,
    "Ids": bad_columns.IDS,
}
TOLD = {"Left out": told_files.LEFT_OUT, "Taken for something": told_files.TAKEN}
READ = told_files.NOTHING_TO_TELL
HEAD = """# Bad files, and the line that each gets

Made of the cases that the tests run ([`tests/bad_files_page.py`](../tests/bad_files_page.py)): `train.csv`, `val.csv` and
`pool.csv` have the columns key, age, wage, city and outcome, and one thing is done to one of them.
[Your own data](your_data.md) says what is right.

## Refused

`salutary-label` stops with one line and status 1, and nothing is written. What other packages say of a damaged file is left
out here ("...").
"""
READ_HEAD = """
## Read, and told

The line is on the terminal, on the page and in `facts.json`.
"""
QUIET = "\n## Read as they are\n\n"
TAIL = """
## One table in other files

The same values in CSV (plain, packed, with tabs, semicolons or decimal commas), Excel, JSON, Parquet (of pandas, PyArrow, Spark),
Feather, streams of Arrow, NPZ, SQLite and DuckDB, of any type that holds them, are the same columns, values, classes, labels and lines: a test
([`test_one_table_many_files.py`](../tests/tables/test_one_table_many_files.py)) writes random tables in all of them. What a form
itself decides:

- CSV has no null, and a cell of Excel holds what is typed, so `NA` in a column of numbers is none, and among categories and classes it is told.
- A number of single precision has more digits in CSV or as a float64 than in its own 32 bits: columns of numbers agree within that
  precision. Categories and classes are the same text.
- Excel keeps 15 digits of a number, and has no time zones; SQLite has neither truth values nor times: they are 0 and 1, and texts.
- Below a folder `city=Ulm` values are texts, and the column comes last.
- An id is written as it stands in the pool: `1000`, or `1000.0` of a column of floats. Both are one id.
"""
# Settings that only name the file.
FILES = ("labeled", "validation", "test", "pool")


def page():
    parts = [HEAD, *(table(name, cases) for name, cases in REFUSED.items()), READ_HEAD]
    parts += [table(name, cases) for name, cases in TOLD.items()]
    return "".join(
        [*parts, QUIET, *(f"- {what}{with_settings(case[1])}\n" for what, case in READ.items()), TAIL]
    )


def with_settings(settings):
    return f" (`{shown(settings)}`)" if shown(settings) else ""


def table(name, cases):
    rows = [f"| {cell(what)} | {code(shown(each[1]))} | {code(each[2])} |\n" for what, each in cases.items()]
    return f"\n### {name}\n\n| what it is | with | the line |\n|---|---|---|\n{''.join(rows)}"


def shown(settings):
    return " ".join(f"{name}={value}" for name, value in settings.items() if name not in FILES)


def code(text):
    mark = "``" if "`" in text else "`"
    return f"{mark}{cell(text)}{mark}" if text else ""


def cell(text):
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page())
