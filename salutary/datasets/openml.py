"""Tables of OpenML, by scikit-learn's fetcher."""

from __future__ import annotations

import gzip
import json
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from urllib.error import URLError

import pandas as pd
from sklearn.datasets import fetch_openml
from sklearn.utils import Bunch

from salutary.datasets import Table
from salutary.datasets.in_memory import FrameTable
from salutary.errors import SalutaryError
from salutary.system.files import directory
from salutary.system.rules import NULL, Quoted, Whole, check

log = logging.getLogger(__name__)

QUOTED = r"^'(.*)'$"  # as ARFF has texts with spaces, and pandas knows only one sort of quotes
RULES = {
    "id": Whole(1) | NULL,
    "name": Quoted("a text") | NULL,
    "version": Whole(1) | NULL,
    "target": Quoted("the name of a column") | NULL,
}


class OpenML:
    """A table of openml.org by its ``id``, or by ``name`` and ``version``: one that stays what it is.

    ``target``: its column of classes, by default OpenML's own. Columns that OpenML calls nominal are
    categories, unless they are among ``numeric`` or to ``ignore``; all else is as with a file of one's own
    (:class:`salutary.datasets.own_table.OwnTable`): gaps, what is left out, ``group``, rows without a class.
    ``cache_dir``: where what was downloaded is kept, in the folder ``openml.org``, by default the user's
    cache: the answers and the ARFF file as they came, whose checksum OpenML tells; no pickles.

    Vanschoren, van Rijn, Bischl & Torgo, "OpenML: networked science in machine learning", SIGKDD Explorations
    2013.
    """

    def __init__(
        self,
        id: int | None = None,
        name: str | None = None,
        version: int | None = None,
        target: str | None = None,
        numeric: Sequence[str] = (),
        categorical: Sequence[str] = (),
        ignore: Sequence[str] = (),
        group: str | None = None,
        group_edges: Sequence[float] = (),
        group_is_feature: bool = True,
        cache_dir: str | None = None,
    ):
        self.id = id
        self.name = name
        self.version = version
        self.target = target
        self.columns = {"numeric": numeric, "categorical": categorical, "ignore": ignore}
        self.groups = {"group": group, "group_edges": group_edges, "group_is_feature": group_is_feature}
        self.cache_dir = cache_dir

    @property
    def about(self) -> str:
        """What it is called in messages."""
        return f"OpenML's {self.id or f'{self.name}, version {self.version}'}"

    def load(self) -> Table:
        """Raises SalutaryError for settings that make no sense, for a table that is not there or is none of
        classes, and where there is no network.
        """
        check(self, RULES, "dataset.")
        if (self.id is None) != bool(self.name and self.version) or (self.id and (self.name or self.version)):
            raise SalutaryError("set dataset.id, or dataset.name and dataset.version")
        found = self._fetched()
        settings = {"target": self._target(found), **self.columns, **self.groups}
        return FrameTable(found.frame, self.about, **settings).load()

    def _fetched(self) -> Bunch:
        """What scikit-learn makes of it; its warnings are told as lines."""
        which = {"data_id": self.id} if self.id else {"name": self.name, "version": self.version}
        home = str(directory(self.cache_dir))
        # As a target it could not have gaps.
        how = {"target_column": None, "as_frame": True, "n_retries": 1, "data_home": home}
        try:
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                # As texts: pandas makes numbers of some nominal values, at which scikit-learn fails.
                found = fetch_openml(**which, **how, parser="pandas", read_csv_kwargs={"dtype": str})
                kinds = _kinds(Path(home), found.details["id"])
                found.frame = found.frame.apply(lambda column: _typed(column, kinds[column.name]))
        except (URLError, ConnectionError, TimeoutError) as error:
            reason = getattr(error, "reason", None) or error
            raise SalutaryError(
                f"cannot fetch {self.about} ({reason}; is there a network?); what was fetched once is kept in"
                f" cache_dir, {home}"
            ) from error
        except (ValueError, OSError, LookupError) as error:
            raise SalutaryError(f"{self.about} cannot be read: {error}") from error
        for warning in told:
            log.info("%s: %s", self.about, " ".join(str(warning.message).split()))
        return found

    def _target(self, found: Bunch) -> str:
        """The column of classes; raises SalutaryError if neither the user nor OpenML names one."""
        own = found.details.get("default_target_attribute") or ""
        target = self.target or own
        if target in found.frame:
            return target
        if self.target:
            raise SalutaryError(f"dataset.target={target} is no column of {self.about}")
        told = f"has the targets {own}" if own else "has no target of its own"
        raise SalutaryError(f"{self.about} {told}: set dataset.target")


def _kinds(home: Path, number: str) -> dict[str, str]:
    """What OpenML says that the columns hold, by name: numeric, nominal, string or date."""
    answer = home / "openml" / "openml.org" / "api" / "v1" / "json" / "data" / "features" / f"{number}.gz"
    features = json.loads(gzip.decompress(answer.read_bytes()))["data_features"]["feature"]
    return {each["name"]: each["data_type"] for each in features}


def _typed(texts: pd.Series, kind: str) -> pd.Series:
    """Numbers, categories, or the texts as they are. Raises ValueError for a number that is none."""
    if kind in ("numeric", "real", "integer"):
        return pd.to_numeric(texts).astype(float)
    if kind == "nominal":
        return texts.str.replace(QUOTED, r"\1", regex=True).astype("category")
    return texts
