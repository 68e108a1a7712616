"""Rows of two groups with unequal chances, for objectives of groups."""

import numpy as np
import pandas as pd


def people(n, rng):
    """Rows of two groups of which one feature tells, and of which the second one gets its yes less often."""
    group = rng.integers(2, size=n)
    skill = rng.normal(size=n)
    y = skill - 2 * group + 1 + 0.7 * rng.normal(size=n) > 0
    proxy = group + 0.4 * rng.normal(size=n)
    frame = pd.DataFrame({"skill": skill, "proxy": proxy, "noise": rng.normal(size=n)})
    return frame.assign(sex=np.where(group, "f", "m"), outcome=np.where(y, "yes", "no"))
