"""The loss of rows whose labels have weights: against autograd, dense Hessians, and rows of one class."""

import numpy as np
import pytest
import torch

from salutary.engine.hessian import Hessian
from salutary.engine.newton import minimise
from salutary.engine.soft_loss import SoftLoss, lacks_a_class, one_hot
from salutary.engine.summed_loss import SummedLoss


def case(n_classes, n=40, d=5, seed=0):
    """X (n, d), weights of labels M (n, C), the first row's all on one class, and parameters (K, d + 1)."""
    rng = np.random.default_rng(seed)
    q, weights = rng.dirichlet(np.ones(n_classes), n), rng.uniform(0.2, 3, n)
    q[0] = np.eye(n_classes)[1]
    K = 1 if n_classes == 2 else n_classes
    return (
        torch.tensor(rng.normal(size=(n, d))),
        torch.tensor(weights[:, None] * q),
        torch.tensor(rng.normal(size=(K, d + 1))),
    )


def defined(X, M, W):
    """Sum of M_ic loss(x_i, c), as it is written."""
    Z = X @ W[:, :-1].T + W[:, -1]
    Z = torch.cat([torch.zeros_like(Z), Z], 1) if len(W) == 1 else Z
    return -(M * Z.log_softmax(1)).sum()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_value_gradient_and_curvatures_are_those_of_autograd(n_classes):
    X, M, W = case(n_classes)
    loss, penalty = SoftLoss(X, M, len(W), True), torch.full_like(W, 0.7)
    at = loss.at(W.numpy(), 0 * W.numpy())
    assert float(at.value) == pytest.approx(float(defined(X, M, W)), rel=1e-12)
    gradient = torch.func.grad(lambda V: defined(X, M, V))(W)
    np.testing.assert_allclose(loss.adjoint(at.R), gradient, rtol=1e-10, atol=1e-10)
    H = torch.func.hessian(lambda V: defined(X, M, V))(W).reshape(W.numel(), -1)
    V = torch.tensor(np.random.default_rng(1).normal(size=W.shape))
    np.testing.assert_allclose(loss.curvature(at.P, V.numpy()).ravel(), H @ V.flatten(), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(loss.diagonal(at.P).ravel(), H.diagonal(), rtol=1e-9)
    with_penalty = H + torch.diag(penalty.flatten())
    dense = Hessian.at(W, X, penalty, M.sum(1)).dense()
    np.testing.assert_allclose(dense, with_penalty, rtol=1e-9, atol=1e-9)
    factor = loss.factor(W.numpy(), penalty)
    solved = torch.linalg.solve(with_penalty, V.flatten())
    np.testing.assert_allclose(np.ravel(factor.solve(V.numpy())), solved, rtol=1e-5, atol=1e-8)
    D = W.shape[1]
    blocks = sum(H[i : i + D, i : i + D] for i in range(0, W.numel(), D)) / len(W)
    inverse = torch.linalg.inv(blocks + torch.diag(penalty[0]))
    np.testing.assert_allclose(loss.averaged_inverse(at.P, penalty.numpy()), inverse, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("d", [5, 60])
def test_of_labels_that_are_classes_it_is_the_summed_loss(n_classes, d):
    X, _, W = case(n_classes, d=d)
    y = torch.arange(len(X)) % n_classes
    penalty = torch.full_like(W, 0.5)
    soft = minimise(SoftLoss(X, one_hot(y, n_classes), len(W), True), penalty)
    hard = minimise(SummedLoss(X, y, len(W), True), penalty)
    np.testing.assert_allclose(soft.W, hard.W, atol=1e-9)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_weight_of_two_is_the_row_twice(n_classes):
    X, M, W = case(n_classes)
    penalty = torch.full_like(W, 0.5)
    heavy = minimise(SoftLoss(X, 2 * M, len(W), True), penalty).W
    twice = minimise(SoftLoss(torch.cat([X, X]), torch.cat([M, M]), len(W), True), penalty).W
    np.testing.assert_allclose(heavy, twice, atol=1e-9)


def test_far_logits_neither_overflow_nor_cancel():
    X, M = torch.tensor([[800.0], [-800.0]], dtype=torch.float64), torch.tensor([[0.25, 0.75], [1.0, 0.0]])
    loss = SoftLoss(X, M.double(), 1, False)
    at = loss.at(np.ones((1, 1)), np.zeros((1, 1)))
    assert float(at.value) == pytest.approx(0.25 * 800)
    np.testing.assert_allclose(at.R, [[0.25, 0.0]], atol=1e-300)


def test_a_class_of_no_weight_is_lacking():
    M = torch.tensor([[0.5, 0.5, 0.0], [0.0, 1.0, 0.0]])
    assert lacks_a_class(M, 3) and not lacks_a_class(M[:, :2], 2)
    assert lacks_a_class(torch.tensor([0, 2, 2]), 3) and not lacks_a_class(torch.tensor([0, 1, 2]), 3)
