"""From the graph onto the page: what is shown of topics that robots share, findings kept."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from fake_robot import FakeRobot
from geometry_msgs.msg import Quaternion
from hypothesis import HealthCheck, given, settings
from message_strategies import messages
from patience import wait_until
from rcl_interfaces.msg import Log
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Imu, NavSatFix, NavSatStatus

from interfaces_pkg.msg import Finding, WordMeaning, WordsInForce
from ros_support_pkg.qos import EVENT, RECORD, SENSOR_DATA, STATE
from semantic_detection_pkg.common.core.plain import as_plain
from semantic_detection_pkg.dashboard.api.dashboard import Dashboard
from semantic_detection_pkg.dashboard.api.finding_book import FindingBook
from semantic_detection_pkg.dashboard.api.finding_store import FindingStore, is_finding
from semantic_detection_pkg.dashboard.api.recorded_findings import WITHOUT, RecordedFindings
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings
from semantic_detection_pkg.dashboard.ros.feed import DashboardFeed


class FeedHarness:
    """The page's subscriptions of a robot, and a node that publishes for all robots."""

    def __init__(self, context: Context, folder: Path, namespace: str) -> None:
        self.node = Node("dashboard", namespace=namespace, context=context)
        self.other = Node("camera", namespace="/r2", context=context)
        self.executor = SingleThreadedExecutor(context=context)
        self.executor.add_node(self.node)
        chosen = DashboardSettings(port=0, evidence_dir=folder / "events")
        self.dashboard = Dashboard(chosen, FakeRobot())
        dashboard = self.dashboard
        self.feed = DashboardFeed(
            self.node,
            dashboard.board,
            dashboard.pictures,
            dashboard.findings,
            dashboard.missions,
            dashboard.map_book,
            transport="shared_memory",
            hfov_wide_rad=1.0,
        )

    def wait_for(self, section: str, count: int) -> list[str]:
        """The names in a section once there are so many."""

        def names() -> list[str]:
            self.executor.spin_once(timeout_sec=0.01)
            value = self.dashboard.board.get(section) or []
            return [one if isinstance(one, str) else one["name"] for one in value]

        wait_until(lambda: len(names()) >= count, section, timeout_s=30.0)
        for _ in range(20):  # what should not come would have come
            self.executor.spin_once(timeout_sec=0.01)
        return names()


@pytest.fixture(params=["", "/r1"], ids=["a robot without a name", "r1"])
def harness(
    request: pytest.FixtureRequest, ros_domain: dict[str, str], tmp_path: Path
) -> Iterator[FeedHarness]:
    context = Context()
    rclpy.init(context=context)
    harness = FeedHarness(context, tmp_path, request.param)
    yield harness
    harness.dashboard.close()
    harness.other.destroy_node()
    harness.node.destroy_node()
    context.try_shutdown()


def test_other_robots_are_not_shown(harness: FeedHarness) -> None:
    own = harness.node.get_namespace().strip("/")
    prefix, logger = (f"{own}/", f"{own}.") if own else ("", "")
    statuses = harness.other.create_publisher(DiagnosticArray, "/diagnostics", EVENT)
    logs = harness.other.create_publisher(Log, "/rosout", EVENT)
    wait_until(lambda: statuses.get_subscription_count() and logs.get_subscription_count())
    names = ["r2/camera", "/r2/detector: frames", "r10/camera", f"{prefix}camera", "fleet/r3/scan"]
    statuses.publish(DiagnosticArray(status=[DiagnosticStatus(name=name) for name in names]))
    assert harness.wait_for("diagnostics", 1) == [f"{prefix}camera"]
    for name in ("r2.camera", f"{logger}detector"):
        logs.publish(Log(name=name, msg="said", level=20))
    assert harness.wait_for("log", 1) == [f"{logger}detector"]


def test_findings_are_shown_and_kept(harness: FeedHarness, tmp_path: Path) -> None:
    findings = harness.other.create_publisher(
        Finding, f"{harness.node.get_namespace().rstrip('/')}/findings", RECORD
    )
    for number in range(3):
        findings.publish(Finding(id=f"5-{number}", revision=1, class_name="tent", state=number))

    def shown() -> set[str]:
        harness.executor.spin_once(timeout_sec=0.01)
        return {one["id"] for one in harness.dashboard.board.get("findings") or ()}

    wait_until(lambda: len(shown()) == 3, "the findings", timeout_s=30.0)
    kept = tmp_path / "findings"
    wait_until(lambda: len(list(kept.glob("*.json"))) == 3, "the files")


def test_words_are_told_with_their_origin(harness: FeedHarness) -> None:
    space = harness.node.get_namespace().rstrip("/")
    words = harness.other.create_publisher(WordsInForce, f"{space}/detector/words", STATE)
    meaning = WordMeaning(text="boot", origin=WordMeaning.ORIGIN_EXAMPLES, positives=2)
    words.publish(WordsInForce(model="net", words=["boot"], meanings=[meaning]))

    def shown() -> dict[str, object]:
        harness.executor.spin_once(timeout_sec=0.01)
        return harness.dashboard.board.get("words")

    (row,) = wait_until(shown, "the words", timeout_s=30.0)["words"]
    assert (row["word"], row["origins"], row["positives"]) == ("boot", ["examples"], 2)


def test_fix_and_attitude_are_heard_while_a_map_is_open(harness: FeedHarness) -> None:
    space = harness.node.get_namespace().rstrip("/")
    fixes = harness.other.create_publisher(NavSatFix, f"{space}/fix", SENSOR_DATA)
    imus = harness.other.create_publisher(Imu, f"{space}/imu", SENSOR_DATA)
    book = harness.dashboard.map_book

    def listeners() -> list[int]:
        harness.executor.spin_once(timeout_sec=0.01)
        return [fixes.get_subscription_count(), imus.get_subscription_count()]

    assert listeners() == [0, 0]
    harness.feed.watch_place(True)
    harness.feed.watch_place(True)  # told twice, it listens once
    wait_until(lambda: listeners() == [1, 1], "the subscriptions", timeout_s=30.0)

    def heading() -> float | None:
        fix = NavSatFix(latitude=47.0, longitude=8.0, altitude=500.0)
        fix.status.status = NavSatStatus.STATUS_FIX
        fixes.publish(fix)
        imus.publish(Imu(orientation=Quaternion(w=1.0)))
        harness.executor.spin_once(timeout_sec=0.01)
        ground = book.ground(is_placed=False)
        return ground.heading_rad if ground.place == (47.0, 8.0, 500.0) else None

    assert wait_until(heading, "the place", timeout_s=30.0) == pytest.approx(math.pi / 2)
    harness.feed.watch_place(False)
    wait_until(lambda: listeners() == [0, 0], "the end of it", timeout_s=30.0)


class NoCrops:
    """Nobody was shown anything."""

    def crop(self, _: str) -> None:
        return None


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(message=messages(Finding))
def test_whatever_a_finding_holds_is_shown_and_comes_back(tmp_path: Path, message: Finding) -> None:
    plain = as_plain(message, without=WITHOUT)
    store = FindingStore(tmp_path)
    shown: list[dict[str, object]] = []

    def book() -> FindingBook:
        shown.clear()
        recorded = RecordedFindings(tmp_path, "")
        return FindingBook(
            lambda new: shown.__setitem__(slice(None), new), NoCrops(), store, recorded
        )

    heard = book()
    heard.add(plain)
    heard.close()
    assert [one["id"] for one in shown] == [message.id]
    book().close()
    assert [one["id"] for one in shown] == ([message.id] if is_finding(plain) else [])
    assert store.load() == ([plain] if is_finding(plain) else [])
    store.remove(message.id)
    assert not list(tmp_path.glob("findings/*"))
