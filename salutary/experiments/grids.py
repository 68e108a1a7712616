"""Which of an experiment's grids are run where a choice is typed that they make differently."""

from __future__ import annotations

from collections.abc import Callable

from salutary.errors import SalutaryError

Choices = dict[str, list[str]]  # for each setting the overrides to choose from, such as ["strategy=margin"]


def combined(grids: list[Choices], typed: Choices, is_group: Callable[[str], bool]) -> list[Choices]:
    """Every grid with what is typed, which wins; those of several that it leaves out are not there.

    A typed choice of a group, such as ``strategy=margin``, is run in the grids that have it; if none has it,
    in those that leave the group open, and a data set then in all of them. Other settings replace those of
    every grid. Raises SalutaryError for a choice, or choices together, for which there is no grid.
    """
    kept: list[Choices] = [{**grid, **typed} for grid in grids]
    if len(grids) == 1:
        return kept
    made = [name for name in typed if is_group(name) and any(name in grid for grid in grids)]
    for name in made:
        for place, values in enumerate(_dealt(name, typed[name], grids)):
            kept[place] = {**kept[place], name: values}
    kept = [each for each in kept if all(each.values())]
    if not kept:
        together = " ".join(each for name in made for each in typed[name])
        raise SalutaryError(f"none of the experiment's grids has {together} together")
    return kept


def _dealt(name: str, wanted: list[str], grids: list[Choices]) -> list[list[str]]:
    """For each grid the wanted overrides of a group that it runs."""
    dealt: list[list[str]] = [[] for _ in grids]
    for each in wanted:
        places = [place for place, grid in enumerate(grids) if each in grid.get(name, [])]
        places = places or [place for place, grid in enumerate(grids) if name not in grid]
        if not places and name == "dataset":  # what is compared can be compared on any data
            places = [*range(len(grids))]
        if not places:
            known = dict.fromkeys(text.partition("=")[2] for grid in grids for text in grid[name])
            raise SalutaryError(
                f"{each}: none of the experiment's grids has it; they have {', '.join(known)}"
            )
        for place in places:
            dealt[place].append(each)
    return dealt
