"""Tier 1's judgement over frames: Wald's sequential probability ratio test.

Each close frame in which the thing ought to show is one trial: seen, or not. The log of how much
more likely the row of trials is if the thing is there than if it is not goes up or down, and the
test ends at the first bound it reaches. No other test with these error rates needs fewer frames on
average (A. Wald, "Sequential Tests of Statistical Hypotheses", 1945), and a clear case ends after
two or three.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ros_support_pkg.core.words import Verdict


@dataclass(frozen=True)
class Sprt:
    """Where the test stands.

    Attributes:
        hits, misses: close frames in which the thing was seen, and was not.
        log_likelihood_ratio: of the two likelihoods.
    """

    hits: int = 0
    misses: int = 0
    log_likelihood_ratio: float = 0.0

    def update(self, is_hit: bool, true_positive_rate: float, false_positive_rate: float) -> Sprt:
        """After one more frame."""
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
        """YES, NO, or UNSURE while neither bound is reached."""
        bound = math.log((1.0 - error_rate) / error_rate)
        if self.log_likelihood_ratio >= bound:
            return Verdict.YES
        return Verdict.NO if self.log_likelihood_ratio <= -bound else Verdict.UNSURE

    @property
    def probability(self) -> float:
        """0..1 that it is there, if before the first frame that was as likely as not."""
        return 1.0 / (1.0 + math.exp(-self.log_likelihood_ratio))
