"""A table of people of two sexes, who are hired unequally often: for objectives of groups."""

import numpy as np
import pandas as pd


def hires(n: int = 700) -> pd.DataFrame:
    """Columns skill, height, sex (f, m) and hired (no, yes); height says more of the sex than of the hire."""
    rng = np.random.default_rng(0)
    man = rng.random(n) < 0.5
    frame = pd.DataFrame({"skill": rng.normal(size=n), "height": rng.normal(size=n) + 2 * man})
    score = frame["skill"] + 0.4 * frame["height"] + rng.normal(size=n)
    frame["sex"], frame["hired"] = np.where(man, "m", "f"), np.where(score > 0.5, "yes", "no")
    return frame
