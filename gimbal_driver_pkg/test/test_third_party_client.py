"""The mock is good enough for other people's software: an unmodified client library drives it.

The library is siyi-sdk (MIT; mzahana/siyi_sdk as on PyPI).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import siyi_sdk
from patience import patience, wait_until

from gimbal_driver_pkg.mock.background import BackgroundMock


@pytest.fixture
def client() -> Iterator[Any]:
    # Of the library's models only the A8 mini is recognised: it reads the hardware id as bytes.
    with BackgroundMock("a8mini") as mock:
        client = siyi_sdk.SIYISDK(server_ip="127.0.0.1", port=mock.udp_port)
        assert client.connect(patience(3.0))
        yield client
        client.disconnect()


@pytest.mark.long
def test_connects_reads_moves_centres_and_zooms(client: Any) -> None:
    wait_until(lambda: client.getCameraTypeString() == "A8 mini", "its name")
    client.requestSetAngles(30.0, -20.0)
    wait_until(lambda: client.getAttitude()[:2] == (30.0, -20.0))
    client.requestGimbalSpeed(30, 0)
    wait_until(lambda: client.getAttitude()[0] < 20.0)  # its rate is + right, its angle + left
    client.requestGimbalSpeed(0, 0)

    def turned() -> bool:
        client.setGimbalRotation(-10, -30)  # its own controller, which knows no delay
        return abs(client.getAttitude()[0] + 10.0) < 1.5

    wait_until(turned)
    client.requestCenterGimbal()
    wait_until(lambda: client.getAttitude()[:2] == (0.0, 0.0))
    client.requestAbsoluteZoom(2.5)

    def zoomed() -> bool:
        client.requestCurrentZoomLevel()
        return bool(client.getCurrentZoomLevel() == 2.5)

    wait_until(zoomed)
    client.requestRecording()
    wait_until(lambda: client.getRecordingState() == 1)
