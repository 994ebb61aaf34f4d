"""Tier 1's test over frames: Wald's sequential probability ratio test (SPRT).

Each close frame in which the object should be visible is one trial: detected, or not. The log
likelihood ratio of "it is there" to "it is not" goes up or down with each trial, and the test ends
at the first bound it reaches, +-ln((1 - error) / error). No other test with these error rates needs
fewer frames on average (A. Wald, "Sequential Tests of Statistical Hypotheses", 1945), and a clear
case ends after two or three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ros_support_pkg.core.words import Verdict


@dataclass(frozen=True)
class Sprt:
    """The state of one test.

    Attributes:
        hits, misses: close frames in which the object was detected, and was not.
        log_likelihood_ratio: above 0 it is rather there.
    """

    hits: int = 0
    misses: int = 0
    log_likelihood_ratio: float = 0.0

    def update(self, is_hit: bool, true_positive_rate: float, false_positive_rate: float) -> Sprt:
        """Return the state after one more frame."""
        if is_hit:
            gain = math.log(true_positive_rate / false_positive_rate)
            return replace(
                self, hits=self.hits + 1, log_likelihood_ratio=self.log_likelihood_ratio + gain
            )
        loss = math.log((1.0 - true_positive_rate) / (1.0 - false_positive_rate))
        return replace(
            self, misses=self.misses + 1, log_likelihood_ratio=self.log_likelihood_ratio + loss
        )

    def verdict(self, error_rate: float) -> Verdict:
        """Return YES, NO, or UNSURE while neither bound is reached."""
        bound = math.log((1.0 - error_rate) / error_rate)
        if self.log_likelihood_ratio >= bound:
            return Verdict.YES
        return Verdict.NO if self.log_likelihood_ratio <= -bound else Verdict.UNSURE

    @property
    def probability(self) -> float:
        """Return the probability that it is there, from even odds before the first frame."""
        return 1.0 / (1.0 + math.exp(-self.log_likelihood_ratio))
