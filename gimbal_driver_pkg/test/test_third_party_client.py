"""The mock is good enough for other people's software: an unmodified client library drives it.

The library is siyi-sdk (MIT; mzahana/siyi_sdk as on PyPI).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import siyi_sdk

from gimbal_driver_pkg.mock.background import BackgroundMock


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.01)


@pytest.fixture
def client() -> Iterator[Any]:
    # Of the library's models only the A8 mini is recognised: it reads the hardware id as bytes.
    with BackgroundMock("a8mini") as mock:
        client = siyi_sdk.SIYISDK(server_ip="127.0.0.1", port=mock.udp_port)
        assert client.connect()
        yield client
        client.disconnect()


def test_connects_reads_moves_centres_and_zooms(client: Any) -> None:
    assert client.getCameraTypeString() == "A8 mini"
    client.requestSetAngles(30.0, -20.0)
    wait_for(lambda: client.getAttitude()[:2] == (30.0, -20.0))
    client.requestGimbalSpeed(30, 0)
    wait_for(lambda: client.getAttitude()[0] < 20.0)  # its rate is + right, its angle + left
    client.requestGimbalSpeed(0, 0)
    client.setGimbalRotation(-10, -30)  # its own controller
    assert client.getAttitude()[0] == pytest.approx(-10, abs=1.5)
    client.requestCenterGimbal()
    wait_for(lambda: client.getAttitude()[:2] == (0.0, 0.0))
    client.requestAbsoluteZoom(2.5)

    def zoomed() -> bool:
        client.requestCurrentZoomLevel()
        return bool(client.getCurrentZoomLevel() == 2.5)

    wait_for(zoomed)
    client.requestRecording()
    wait_for(lambda: client.getRecordingState() == 1)
