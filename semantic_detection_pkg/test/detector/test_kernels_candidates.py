"""The compiled selection of candidates against its twin, number for number."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from kernel_versions import compiled, needs_compiled, twin, versions

from semantic_detection_pkg.detector.kernels.candidates import CandidateSelector, Suppression

# Few values make ties, touching, equal, empty and inside-out boxes common; a tenth are odd.
ODD = [np.nan, np.inf, -np.inf, 2.0**127, -0.0, 2.0**-149]
places = st.sampled_from([float(place) for place in range(-1, 8)] * 6 + ODD)
scores = st.sampled_from([0.0, 0.25, 0.25 + 2.0**-25, 0.5, 0.875, 1.0, 1.5, -1.0] * 7 + ODD)
classes_of_rows = st.sampled_from([0.0, 1.0, 2.5, 3.0, 4.0, -0.5] * 9 + ODD)
rules = st.builds(
    Suppression, st.sampled_from([None, 0.0, 0.3, 0.5, 1.0]), st.integers(1, 9), st.booleans()
)
CONFIDENCES = st.sampled_from([0.0, 0.25, 0.875])


def table(rows: int, columns: int, elements):
    return npst.arrays(np.float32, (rows, columns), elements=elements)


def assert_equal(ours, theirs) -> None:
    for have, want in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(have, want)
        assert np.asarray(have).dtype == np.asarray(want).dtype


def select_raw(version, *arguments):
    with np.errstate(all="ignore"):
        return CandidateSelector(version("candidates")).from_raw(*arguments)


@needs_compiled
@given(st.data(), st.integers(0, 9), st.integers(0, 6), st.integers(0, 3), rules, CONFIDENCES)
def test_raw_heads_equal_the_twin(data, anchors, classes, channels, rule, confidence):
    head = np.concatenate(
        [
            data.draw(table(4, anchors, places)),
            data.draw(table(classes, anchors, scores)),
            data.draw(table(channels, anchors, places)),
        ]
    )
    wanted = data.draw(st.lists(st.integers(0, classes - 1), max_size=6)) if classes else []
    arguments = (head, np.array(wanted, np.intp), channels, confidence, rule)

    assert_equal(select_raw(compiled, *arguments), select_raw(twin, *arguments))


@needs_compiled
@given(st.data(), st.integers(0, 9), st.integers(1, 4), st.integers(0, 3), rules, CONFIDENCES)
def test_rows_equal_the_twin(data, count, classes, channels, rule, confidence):
    rows = np.concatenate(
        [
            data.draw(table(count, 4, places)),
            data.draw(table(count, 1, scores)),
            data.draw(table(count, 1, classes_of_rows)),
            data.draw(table(count, channels, places)),
        ],
        axis=1,
    )
    wanted = np.array(
        data.draw(st.lists(st.integers(0, classes - 1), max_size=4, unique=True)), np.intp
    )
    with np.errstate(all="ignore"):
        ours, theirs = (
            CandidateSelector(version("candidates")).from_rows(
                rows, wanted, classes, confidence, rule
            )
            for version in (compiled, twin)
        )

    assert_equal(ours, theirs)


def crowd(anchors: int, classes: int, hot: int, seed: int = 0) -> np.ndarray:
    """A head with `hot` candidates above 0.3, many of them with equal scores."""
    random = np.random.default_rng(seed)
    head = np.zeros((4 + classes + 32, anchors), np.float32)
    head[:2] = random.uniform(0, 640, (2, anchors))
    head[2:4] = random.uniform(5, 200, (2, anchors))
    head[4 : 4 + classes] = random.uniform(0, 0.2, (classes, anchors))
    chosen = random.choice(anchors, hot, replace=False)
    head[4 + random.integers(0, classes, hot), chosen] = random.uniform(0.3, 1, hot).round(2)
    head[4 + classes :] = random.normal(size=(32, anchors))
    return head


@needs_compiled
@pytest.mark.parametrize(
    ("anchors", "classes", "hot", "most"),
    [(8400, 80, 0, 300), (8400, 80, 600, 300), (2100, 3, 2100, 300), (30_500, 2, 30_500, 70)],
)
def test_real_sizes_equal_the_twin(anchors, classes, hot, most):
    head = crowd(anchors, classes, hot)
    arguments = (head, np.arange(classes), 32, 0.25, Suppression(0.7, most))

    ours = select_raw(compiled, *arguments)

    assert (len(ours.scores) > 0) == (hot > 0)
    assert_equal(ours, select_raw(twin, *arguments))


@needs_compiled
def test_views_and_half_precision_equal_their_copies():
    head = crowd(500, 3, 60)
    rule = Suppression(0.5, 20)
    selector = CandidateSelector(compiled("candidates"))
    wide = np.zeros((39, 1000), np.float32)
    wide[:, ::2] = head

    assert_equal(
        selector.from_raw(wide[:, ::2], np.arange(3), 32, 0.25, rule),
        selector.from_raw(head, np.arange(3), 32, 0.25, rule),
    )
    half = head.astype(np.float16)
    assert_equal(
        selector.from_raw(half, np.arange(3), 32, 0.25, rule),
        selector.from_raw(half.astype(np.float32), np.arange(3), 32, 0.25, rule),
    )


HEAD = np.zeros((4 + 2 + 1, 5), np.float32)
RULE = Suppression(0.5, 3)


@pytest.mark.parametrize("version", versions("candidates"))
@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((HEAD[0], np.arange(2), 1, 0.5, RULE), "head"),
        ((HEAD, np.arange(2), 4, 0.5, RULE), "head"),
        ((HEAD, np.array([2]), 1, 0.5, RULE), "columns"),
        ((HEAD, np.array([-1]), 1, 0.5, RULE), "columns"),
        ((HEAD, np.arange(2), 1, -0.5, RULE), "confidence"),
        ((HEAD, np.arange(2), 1, np.nan, RULE), "confidence"),
        ((HEAD, np.arange(2), 1, 0.5, Suppression(0.5, 0)), "confidence"),
    ],
)
def test_other_arguments_are_refused(version, arguments, what):
    with pytest.raises(ValueError, match=f"candidates: {what} .*must"):
        CandidateSelector(version).from_raw(*arguments)
