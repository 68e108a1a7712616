"""Labelling a pool in rounds, without a human, and with an honest account of what it is worth.

A labeller keeps several labelled sets that start equal and grow apart: one chooses by all validation rows,
and is the result; the others each choose by all but one fold of the validation rows, and are measured on that
fold (cross-fitting). What those lose on held-out rows is what the result can be expected to lose on new ones;
the validation loss of the result itself is what was minimised, and falls too far.

- ``track``: one labelled set that grows. ``shortlist``: the rows of a large pool worth a closer look.
- ``labeler``: the rounds. ``stopping``: when to end them. ``comparison``: the result beside the initial model
  and the plain alternative, one model trained on labelled and validation rows.
"""
