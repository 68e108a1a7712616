"""device.threads: blocks of rows side by side give the same bytes, and only large work takes more threads."""

import os
import threading
import time

import numpy as np
import pytest
import torch
from oracles import blobs

from salutary import engine
from salutary.engine import Hessian, MeanLoss, softmax
from salutary.engine.added_point import AddedPoint
from salutary.engine.block import BlockSolver
from salutary.engine.confidence import ConfidentInfluence
from salutary.errors import SalutaryError
from salutary.models.logistic import LogisticRegression
from salutary.system import threads
from salutary.system.device import Device, one_thread


@pytest.fixture(autouse=True)
def as_it_was():
    yield
    threads.set_side_by_side(1)
    torch.set_num_threads(1)


def all_of_the_engine(n_classes):
    X, y = blobs(500, 6, n_classes, seed=1)
    model = LogisticRegression(n_classes, 1.0).fit(X, y)
    W, penalty = model.coef_, model.penalty_
    optimum = engine.Optimum(W, penalty, X, MeanLoss(X, y), y)
    scorer = ConfidentInfluence.at(optimum, np.random.default_rng(0))
    hessian = Hessian.at(W, X, penalty)
    yield from (W, optimum.direction("cg"), optimum.gradient, hessian.dense(), hessian @ W, scorer.M)
    yield from (optimum.influence(X), engine.best_influence(W, scorer.S, X), *scorer.score(X))
    yield AddedPoint.at(optimum, True).fall(X)
    yield BlockSolver(hessian).solve(torch.stack([W, optimum.gradient]))


@pytest.mark.parametrize("n_classes", [2, 4])
def test_any_number_of_threads_gives_the_same_bytes(n_classes, monkeypatch):
    monkeypatch.setattr(softmax, "MIN_ROWS", 64)
    monkeypatch.setitem(softmax.BLOCK_BYTES, "cpu", 1)
    one = list(all_of_the_engine(n_classes))
    for n in (2, 5):
        threads.set_side_by_side(n)
        assert all(torch.equal(a, b) for a, b in zip(all_of_the_engine(n_classes), one, strict=True))


def test_only_several_blocks_take_other_threads():
    seen = set()

    def function(rows):
        seen.add(threading.current_thread())
        time.sleep(1e-3)
        return rows

    X = torch.zeros(10 * softmax.MIN_ROWS, 1)
    threads.set_side_by_side(3)
    assert list(softmax.each_block(X, 1, function)) == list(softmax.row_blocks(X, 1))
    assert seen == {threading.main_thread()}
    seen.clear()
    assert list(softmax.each_block(X, 2**22, function)) == list(softmax.row_blocks(X, 2**22))
    assert threading.main_thread() not in seen and 1 < len(seen) <= 3


def test_results_wait_in_order_and_not_too_many_of_them():
    threads.set_side_by_side(2)
    begun = []
    results = threads.in_order(lambda i: begun.append(i) or -i, range(50))
    assert next(results) == 0
    time.sleep(0.05)
    assert len(begun) <= 6
    assert list(results) == [-i for i in range(1, 50)]


def test_what_goes_wrong_in_a_thread_is_raised():
    threads.set_side_by_side(2)
    with pytest.raises(ZeroDivisionError):
        list(threads.in_order(lambda i: 1 / i, [1, 0, 2]))
    assert list(threads.in_order(abs, [-1, -2])) == [1, 2]


def test_auto_computes_products_in_one_thread_and_blocks_on_all_cores(monkeypatch):
    monkeypatch.setattr("salutary.system.device.free_cores", lambda: 8)
    device = Device("cpu")
    assert (torch.get_num_threads(), threads.side_by_side()) == (1, 8)
    assert device.description == "cpu, float64, auto threads"
    Device("cpu", cores=3)
    assert threads.side_by_side() == 3
    with one_thread():
        assert threads.side_by_side() == 1
    assert threads.side_by_side() == 3
    assert Device("cpu", threads=2).description == "cpu, float64, 2 threads"
    assert (torch.get_num_threads(), threads.side_by_side()) == (2, 1)
    Device("cpu", threads=None)
    assert (torch.get_num_threads(), threads.side_by_side()) == (2, 1)


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "all"])
def test_numbers_of_threads_that_make_no_sense(value):
    with pytest.raises(SalutaryError, match=r"device\.threads must be .*a whole number >= 1, not"):
        Device("cpu", threads=value)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
def test_free_cores_are_those_that_the_process_may_use(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5})
    assert threads.free_cores() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads.free_cores() == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "16")
    assert threads.free_cores() == 3


def test_blocks_within_blocks_do_not_wait_for_each_other():
    def outer(i):
        return list(threads.in_order(lambda j: (i, j), range(3)))

    threads.set_side_by_side(2)
    assert list(threads.in_order(outer, range(8))) == [[(i, j) for j in range(3)] for i in range(8)]
