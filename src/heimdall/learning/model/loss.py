"""What training minimises."""

from __future__ import annotations

from torch import Tensor

from heimdall.inference.mixture import Mixture


def negative_log_likelihood(mixture: Mixture, truth_core_B2: Tensor) -> Tensor:
    """(B,) minus the log of the density that the mixture gives the truth, per square of the window's middle cell.

    A proper score: its expectation is least where the density is the true posterior. The mixture's broad component keeps
    it finite where the truth lies outside the window.
    """
    return -mixture.log_density(truth_core_B2[:, None, :])[:, 0]
