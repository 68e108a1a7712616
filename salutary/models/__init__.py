"""Models. A model is an object with

- ``fit(X, y, unlabeled)``, which forgets the past and returns the model; ``unlabeled`` (u, d) or None
  is for semi-supervised models, others ignore it,
- ``predict_proba(X) -> (n, C)`` over *all* C classes, even those the labelled set lacks,
- ``tune(X, y, rng, validation)``, called once with the initial set and the validation set (X, y), to
  settle what its configuration leaves open,
- optionally ``states_``, several fitted states over whose metrics evaluations take the mean.

X is (n, d), y holds class numbers; both are tensors, as is the answer.
"""
