"""Models. A model is an object with

- ``fit(X, y)``, which forgets the past and returns the model,
- ``predict_proba(X) -> (n, C)`` over *all* C classes, even those the labelled set lacks,
- ``tune(X, y, rng)``, called once with the initial set, to settle what its configuration leaves open.

X is (n, d), y holds class numbers; both are tensors, as is the answer.
"""
