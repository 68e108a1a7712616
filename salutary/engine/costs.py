"""What the steps of a solve cost on a device, in milliseconds.

Measured on one NVIDIA H200 (torch 2.11, float64) with 300 rows of 512 features and 10 classes, p = 5,120
parameters, and scaled from there. They only choose between ways that lead to the same answer.
"""

from __future__ import annotations

P = 5_120
ITERATION = 0.17  # of conjugate gradients by plain calls, which is the time that launches take
CAPTURED = 0.035  # the same within a graph
DENSE = 1.9  # the dense Hessian: its blocks are written, added and put in order
CHOLESKY = 3.2  # its factor in float32
REFINEMENT = 0.9  # two substitutions with that, and a product
REFINEMENTS = 2
# The card's data sheet: bytes of memory and float64 operations a millisecond.
BANDWIDTH = 4.8e9
OPERATIONS = 67e9


def iteration(n: int, K: int, D: int, is_captured: bool) -> float:
    """An iteration with the Hessian of n rows: X is read twice."""
    return (CAPTURED if is_captured else ITERATION) + 2 * 8 * n * D / BANDWIDTH


def factor(n: int, K: int, D: int) -> float:
    """A float32 factor of the dense Hessian and what refines a solution by it.

    What is small takes as long as its launches, or as its columns one after the other.
    """
    p = K * D
    size = p / P
    dense = max(ITERATION, DENSE * size**2) + n * p**2 / OPERATIONS
    return dense + CHOLESKY * max(size, size**3) + REFINEMENTS * REFINEMENT * max(size, size**2)


def preconditioned(n: int, K: int, D: int) -> float:
    """An iteration with such a factor, by plain calls."""
    size = K * D / P
    substitutions = REFINEMENT - ITERATION
    return iteration(n, K, D, False) + substitutions * max(size, size**2)


def average_block(n: int, K: int, D: int) -> float:
    """The inverse of one class's block: three factors' worth of columns one after the other."""
    return ITERATION + n * D**2 / OPERATIONS + 3 * CHOLESKY * D / P
