"""The parts of the dashboard, put together; what happens in it by the clock."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from semantic_detection_pkg.dashboard.api.access import Access
from semantic_detection_pkg.dashboard.api.announcing import Announcer
from semantic_detection_pkg.dashboard.api.commands import Command, CommandStatus, Outcome, Robot
from semantic_detection_pkg.dashboard.api.evidence import EvidenceFolder
from semantic_detection_pkg.dashboard.api.finding_book import FindingBook
from semantic_detection_pkg.dashboard.api.finding_store import FindingStore
from semantic_detection_pkg.dashboard.api.hub import Hub
from semantic_detection_pkg.dashboard.api.map_book import MapBook
from semantic_detection_pkg.dashboard.api.metrics import History, Metrics
from semantic_detection_pkg.dashboard.api.mission_book import MissionBook
from semantic_detection_pkg.dashboard.api.operators import Operators
from semantic_detection_pkg.dashboard.api.pictures import EncodedPicture, PictureMaker
from semantic_detection_pkg.dashboard.api.recorded_findings import RecordedFindings
from semantic_detection_pkg.dashboard.api.recorded_missions import RecordedMissions
from semantic_detection_pkg.dashboard.api.review_book import ReviewBook
from semantic_detection_pkg.dashboard.api.settings import DashboardSettings
from semantic_detection_pkg.dashboard.api.store import SectionStore
from semantic_detection_pkg.dashboard.api.tile_book import TileBook
from semantic_detection_pkg.dashboard.core.latencies import Latencies

NEWS_PERIOD_S = 0.1
_FIGURES_PERIOD_S = 1.0
_TILES_PERIOD_S = 5.0
_COMMAND_TIMEOUT_S = 5.0


class Dashboard:
    """Everything that the pages share.

    Attributes:
        board: the robot's side writes it, from any thread.
        pictures: takes scenes from the robot's side, from any thread.
        findings: takes those that are heard, from any thread; knows those of before.
        missions: takes states and results, from any thread; knows the last mission.
        reviews: what people said of findings.
        map_book: takes coverage and the robot's place, from any thread; for the map.
        tiles: the map's, of a file beside the robot.
        recorded: missions in what the recorder has finished.
        is_halted: the gimbal was stopped; rates are obeyed again after one of zero, a let-go hand.
    """

    def __init__(
        self,
        settings: DashboardSettings,
        robot: Robot,
        *,
        picture_width: int = 1280,
        picture_quality: int = 80,
        max_picture_latency_s: float = 1.0,
    ) -> None:
        self.settings = settings
        self.robot = robot
        self.access = Access(settings)
        self.operators = Operators()
        self.board = SectionStore()
        self.hub = Hub(robot.watch_pictures)
        self.metrics = Metrics(self.board)
        self.pictures = PictureMaker(
            self._publish, width_max=picture_width, quality=picture_quality
        )
        recordings = settings.evidence_dir.parent
        self.findings = FindingBook(
            lambda findings: self.board.put("findings", findings),
            self.pictures,
            FindingStore(recordings),
            RecordedFindings(recordings, settings.robot),
        )
        self.missions = MissionBook(self.board, recordings)
        self.reviews = ReviewBook(self.board, recordings)
        self.recorded = RecordedMissions(recordings, settings.robot)
        self.map_book = MapBook(robot.watch_place)
        self.tiles = TileBook(self.board, settings.map_tiles_file)
        self.is_halted = False
        self._history = History()
        self._evidence = EvidenceFolder(settings.evidence_dir)
        self._ages_s: list[float] = []
        self._latencies = Latencies(max_picture_latency_s)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._earlier = (0, 0.0, time.monotonic(), _cpu_s())
        self._announcer = Announcer(robot, self.board, lambda: self._soon(self.hub.tick))
        self.board.put("robot", {"name": settings.robot})
        self.announce_operator()

    async def run(self) -> None:
        """Send news ten times a second, figures once; until cancelled."""
        self._loop = asyncio.get_running_loop()
        figures_s = 0.0
        tiles = asyncio.create_task(self._look_for_tiles())
        try:
            while True:
                if time.monotonic() - figures_s >= _FIGURES_PERIOD_S:
                    figures_s = time.monotonic()
                    self._measure()
                    await self._list_events()
                    await asyncio.to_thread(self.missions.keep)
                    self.map_book.rest()
                self.hub.tick()
                if tiles.done():  # by an exception: its only end
                    await tiles
                await asyncio.sleep(NEWS_PERIOD_S)
        finally:
            self._loop = None
            tiles.cancel()

    async def ask(self, command: Command, timeout_s: float | None = None) -> Outcome:
        """Have the robot carry out a command.

        Args:
            timeout_s: [s] that it may take; None: as all others.
        """
        limit_s = timeout_s or _COMMAND_TIMEOUT_S
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()

        def resolve(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def done(outcome: Outcome) -> None:
            with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(resolve, outcome)

        self.robot.send(command, done)
        try:
            return await asyncio.wait_for(answer, limit_s)
        except asyncio.TimeoutError:
            return Outcome(CommandStatus.LATE, f"no answer within {limit_s:g} s")

    def confirm(self, age_s: float | None) -> None:
        """Note that a page has shown a picture of this age."""
        if age_s is not None:
            self._ages_s.append(age_s)
            self.metrics.picture_ages.observe(max(0.0, age_s))

    def announce_operator(self) -> Future[None]:
        """Tell the robot who holds control, and then all pages; done when they are told."""
        operator = self.operators.operator
        return self._announcer.announce("" if operator is None else operator.name)

    async def pass_control(self) -> Outcome:
        """Announce who holds control now, and wait until the robot knows it."""
        told = asyncio.wrap_future(self.announce_operator())
        operator = self.operators.operator
        holder = f"{operator.name if operator else 'nobody'} holds control"
        try:
            # Shielded: others wait for the same.
            await asyncio.wait_for(asyncio.shield(told), _COMMAND_TIMEOUT_S)
        except asyncio.TimeoutError:
            late = f"the robot was not told within {_COMMAND_TIMEOUT_S:g} s"
            return Outcome(CommandStatus.LATE, f"{holder}, but {late}")
        return Outcome(CommandStatus.DONE, holder)

    def close(self) -> None:
        """Keep what is new; end the threads of the pictures and the findings."""
        self.findings.close()
        self.missions.keep(is_last=True)
        self.pictures.close()
        self.tiles.close()

    def _publish(self, picture: EncodedPicture) -> None:
        counts = {"encoded": self.pictures.encoded, "dropped": self.pictures.dropped}
        self.board.put("pictures", counts)
        self._soon(self.hub.publish, picture)

    def _soon(self, callback: Callable[..., None], *args: Any) -> None:
        """Call something on the event loop, from any thread; without effect where none runs."""
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the server ends
                loop.call_soon_threadsafe(callback, *args)

    async def _look_for_tiles(self) -> None:
        """Open the map's file; one that is put there later, or is another one then, too."""
        while True:
            await asyncio.to_thread(self.tiles.look)
            await asyncio.sleep(_TILES_PERIOD_S)

    async def _list_events(self) -> None:
        events = await asyncio.to_thread(self._evidence.events)
        if events != self.board.get("events"):
            self.board.put("events", events)

    def _measure(self) -> None:
        encoded, encode_s, then_s, cpu_s = self._earlier
        now_s = time.monotonic()
        self._earlier = (self.pictures.encoded, self.pictures.encode_s, now_s, _cpu_s())
        pictures = self.pictures.encoded - encoded
        elapsed_s = max(now_s - then_s, 1e-3)
        ages_s, self._ages_s = self._ages_s, []
        age_s = statistics.median(ages_s) if ages_s else None
        self.board.put(
            "server",
            {
                "viewers": self.hub.viewers,
                "picture_rate_hz": round(pictures / elapsed_s, 1),
                "picture_age_s": age_s,
                "complaint": self._latencies.complaint(age_s),
                "encode_s": (self.pictures.encode_s - encode_s) / pictures if pictures else None,
                "cpu_cores": round((_cpu_s() - cpu_s) / elapsed_s, 3),
                "needs_token": self.access.needs_token,
            },
        )
        self.board.put("history", self._history.sample(self.board))


def _cpu_s() -> float:
    """Return the processor time of this process. [s]"""
    times = os.times()
    return times.user + times.system
