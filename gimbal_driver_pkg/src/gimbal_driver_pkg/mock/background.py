"""A mock gimbal in a thread of this process, for tests and measurements."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gimbal_driver_pkg.mock import control
from gimbal_driver_pkg.mock.body import Dynamics
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.server import MockServer
from gimbal_driver_pkg.models import model_named

if TYPE_CHECKING:
    from gimbal_driver_pkg.mock.vehicle import MockVehicle

_START_S = 10.0


class BackgroundMock:
    """Runs a MockServer on loopback: TCP, UDP (not Viewpro) and, if asked for, a terminal.

    Leaving the context raises what went wrong in the mock, if anything did.

    with BackgroundMock("zr10", speed=10) as mock:
        connect(mock.tcp_port)
        mock.order(faults={"noise": 0.001})
        assert mock.state()["is_still"]
    """

    def __init__(
        self,
        model: str = "zr10",
        speed: float = 1.0,
        boot_s: float = 0.0,
        terminal: str = "",
        tcp_port: int = 0,
        vehicle: MockVehicle | None = None,
    ) -> None:
        """Name the model; `speed` is how many times as fast as life it moves."""
        self._model = model_named(model)
        self._speed = speed
        self._boot_s = boot_s
        self._terminal = terminal
        self._vehicle = vehicle
        self.tcp_port = tcp_port
        self.udp_port = 0
        self._started: Future[None] = Future()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._run()), name="mock gimbal", daemon=True
        )

    def __enter__(self) -> BackgroundMock:
        self._thread.start()
        self._started.result(_START_S)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._failure and error is None:
            raise self._failure

    def order(self, **orders: Any) -> dict[str, Any]:
        """Give orders (see `control`) and return the state."""
        return self._call(orders)

    def state(self) -> dict[str, Any]:
        """Return the truth about the gimbal."""
        return self._call({})

    def _call(self, orders: Mapping[str, Any]) -> dict[str, Any]:
        async def follow() -> dict[str, Any]:
            control.obey(self._server, orders)
            return control.state(self._server)

        return asyncio.run_coroutine_threadsafe(follow(), self._loop).result()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._start()
        except BaseException as error:  # whatever it is, the starter must hear of it
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        self._loop.set_exception_handler(self._note_failure)
        serving = asyncio.create_task(self._server.serve())
        serving.add_done_callback(lambda _: self._stop.set())
        await self._stop.wait()
        if serving.done():
            self._failure = serving.exception()
        serving.cancel()
        self._server.close()

    def _note_failure(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self._failure = context.get("exception") or RuntimeError(context["message"])

    async def _start(self) -> None:
        dynamics = Dynamics().times(self._speed)
        gimbal = MockGimbal.create(self._model, self._loop.time(), self._boot_s, dynamics)
        gimbal.vehicle = self._vehicle
        self._server = MockServer(gimbal)
        self.tcp_port = await self._server.listen_tcp("127.0.0.1", self.tcp_port)
        if self._model.protocol != "viewpro":
            self.udp_port = await self._server.listen_udp("127.0.0.1", 0)
        if self._terminal:
            self._server.open_terminal(self._terminal)
