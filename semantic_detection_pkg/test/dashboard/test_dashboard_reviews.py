"""Findings accepted, rejected and commented on: on the page, through the API, in its files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dashboard_client import TOKEN, Served, serve
from playwright.sync_api import Page, expect
from test_dashboard_browser import browser, page  # noqa: F401 - fixtures
from test_dashboard_maps import placed

from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.recorder.storage.review_log import FILE, ReviewLog
from simulation_pkg.harness.recorded_messages import START_NS

ID = f"{START_NS}-1"
PATH = f"/api/findings/{ID}/review"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path) as made:
        made.dashboard.findings.add(as_plain(placed(1)))
        yield made


def said(**changes: Any) -> dict[str, Any]:
    return {"who": "Anna", "verdict": "accepted", "comment": "", **changes}


def test_a_review_is_logged_shown_and_exported_and_comes_back(
    served: Served, tmp_path: Path
) -> None:
    assert served.post(PATH, said(comment="a blue jacket")).status == 200
    assert served.post(PATH, said(who="Ben", verdict="rejected")).status == 200
    entries = ReviewLog(tmp_path).read()
    assert [(one.who, one.verdict, one.comment) for one in entries] == [
        ("Anna", "accepted", "a blue jacket"),
        ("Ben", "rejected", ""),
    ]
    assert entries[0].time_ns <= entries[1].time_ns
    shown = served.get("/api/state/reviews").json[ID]
    assert shown["verdict"] == "rejected"
    assert [one["who"] for one in shown["entries"]] == ["Anna", "Ben"]
    table = served.get("/api/findings/map/csv").body.decode("utf-8-sig")
    (row,) = csv.DictReader(io.StringIO(table))
    assert row["review"].startswith("rejected by Ben, ")
    assert row["comments"].endswith(": a blue jacket")
    with serve(tmp_path) as again:
        assert again.get("/api/state/reviews").json == {ID: shown}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (said(who=""), 422),
        (said(who="  "), 422),
        (said(who="a\nb"), 422),
        (said(who="x" * 81), 422),
        (said(verdict="maybe"), 422),
        (said(comment="x" * 2001), 422),
        (said(comment="\x00"), 422),
        (said(more=1), 422),
        ({}, 422),
        (said(verdict=""), 409),
        (said(verdict="", comment="  "), 409),
    ],
)
def test_what_is_no_review_is_refused_in_one_line(
    served: Served, tmp_path: Path, body: dict[str, Any], status: int
) -> None:
    reply = served.post(PATH, body)
    assert reply.status == status
    assert "\n" not in reply.json["detail"]
    assert not (tmp_path / FILE).exists()


def test_an_unknown_finding_cannot_be_reviewed(served: Served) -> None:
    reply = served.post("/api/findings/5-5/review", said())
    assert (reply.status, reply.json) == (404, {"detail": "no finding '5-5' is known"})


def test_what_cannot_be_kept_is_said_and_not_shown(tmp_path: Path) -> None:
    with serve(tmp_path / "away") as served:
        served.dashboard.findings.add(as_plain(placed(1)))
        reply = served.post(PATH, said())
        assert reply.status == 503
        assert reply.json["detail"].startswith("the review cannot be kept: ")
        assert served.get("/api/state/reviews").json == {}


def test_a_guarded_page_takes_reviews_with_the_token_only(tmp_path: Path) -> None:
    with serve(tmp_path, token=TOKEN, is_viewing_open=True) as served:
        served.dashboard.findings.add(as_plain(placed(1)))
        assert served.post(PATH, said()).status == 401
        assert served.post(PATH, said(), Authorization=f"Bearer {TOKEN}").status == 200


@pytest.mark.long
def test_on_the_page_by_anybody_who_may_control(served: Served, page: Page) -> None:  # noqa: F811
    page.goto(served.address)
    card = page.locator(".finding")
    card.get_by_role("button", name="Accept").click()
    expect(page.locator("#review-what")).to_have_text("Accept: tent")
    page.fill("#review-who", "Anna")
    page.fill("#review-comment", "a blue jacket")
    page.click("#review button[type=submit]")
    expect(page.locator("#review")).to_be_hidden()
    expect(card).to_have_class("finding confirmed is-accepted")
    expect(card.locator(".review .said")).to_contain_text("accepted: a blue jacket")
    page.reload()
    expect(card).to_have_class("finding confirmed is-accepted")
    card.get_by_role("button", name="Take back").click()
    expect(page.locator("#review-who")).to_have_value("Anna")
    page.click("#review button[type=submit]")
    expect(card).to_have_class("finding confirmed")
    card.get_by_role("button", name="Comment").click()
    page.click("#review button[type=submit]")  # nothing is said: the browser asks for it
    expect(page.locator("#review")).to_be_visible()
    page.click("#review-cancel")
    expect(page.locator("#review")).to_be_hidden()
    expect(card.locator(".review .said")).to_have_count(2)


def test_texts_of_strangers_hide_nothing_and_run_nothing(served: Served, page: Page) -> None:  # noqa: F811
    said_ran: list[object] = []
    page.on("dialog", lambda dialog: (said_ran.append(dialog.message), dialog.dismiss()))
    comment = "a \u202egnp.exe\u202c b\u200b\u2066c <script>alert(1)</script> \U0001f600"
    body = {"who": "An\u202ena", "verdict": "rejected", "comment": comment}
    assert served.post(PATH, body).status == 200
    page.goto(served.address)
    told = page.locator(".finding .review .said")
    expect(told).to_contain_text("rejected: a gnp.exe bc <script>alert(1)</script> \U0001f600")
    text = told.inner_text()
    assert text.startswith("Anna ")
    assert not set(text) & set("\u202e\u202c\u200b\u2066")
    assert said_ran == []
