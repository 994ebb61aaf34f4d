"""A search that goes on in another one: by another plan, or for other words."""

from __future__ import annotations

from semantic_detection_pkg.scan.core.search import Search


def take_over(new: Search, old: Search) -> None:
    """Go on with what another search has found; what it has seen counts where it can."""
    new.candidates.restore(old.candidates.all, old.candidates.cooling)
    new.findings = old.findings
    for follower in old.followers:
        new.follow_path(follower.conclusion)
    if old.can_go_on(new.plan):
        new.coverage.restore(old.coverage.record())
        # For the same words a class in the same place is the same, however it is spelled.
        is_same = new.goal.words == old.goal.words
        for pod, before in zip(new.pods_like(old), old.pods, strict=True):
            known = before.record()
            pod.restore(known if is_same else known.of(pod.class_names))
        new.set_progress(old.planner.progress, is_swept=old.is_swept)


def go_on_otherwise(new: Search, old: Search, now_s: float) -> int | None:
    """Go on for other words than the search that was just taken over, by the same plan.

    What was seen was not searched for a word that is new, or that has another name, by which its
    candidates would be known: then the area begins again, as in a round of a goal that repeats, and
    the map of the POD keeps what was searched for the others.
    Candidates of words that are gone are dropped; findings stay.

    Returns:
        The request of the question that is in hand no more; None: there was none.
    """
    labels, before = new.candidates.labels, old.candidates.labels
    new.candidates.drop_classes(before.keys() - labels.keys())
    new.followers = [one for one in new.followers if one.conclusion.track.class_name in labels]
    new.take_moment(old)
    if labels.items() - before.items():
        new.coverage.forget_emptiness()
        new.begin_round(now_s)
    question = old.question
    if question is None:
        return None
    if any(one is question.candidate for one in new.candidates.all):
        new.question = question
        return None
    return question.request_id
