"""mock_gimbal: a gimbal for people without one. It speaks the real protocols and moves like one."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from gimbal_driver_pkg.errors import GimbalError, InvalidValueError
from gimbal_driver_pkg.mock.body import Dynamics
from gimbal_driver_pkg.mock.conversation import MockGimbal
from gimbal_driver_pkg.mock.faults import InjectedFaults
from gimbal_driver_pkg.mock.server import MockServer
from gimbal_driver_pkg.models import MODELS, RATE_MAPS, GimbalModel, model_named
from ros_support_pkg.core.ranges import check_range

if TYPE_CHECKING:
    from gimbal_driver_pkg.mock.vehicle import MockVehicle

_MODEL_OF_PROTOCOL = {"siyi": "zr10", "viewpro": "a40", "mavlink": "mavlink"}
_TCP_PORT, _UDP_PORT = 9090, 37260


@dataclass(frozen=True)
class _Lines:
    """Where to listen; None is nowhere."""

    tcp: int | None
    udp: int | None
    serial: str | None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mock_gimbal",
        description="A mock gimbal on real lines.",
        epilog=f"Without --tcp, --udp, --serial: tcp {_TCP_PORT}, and for SIYI udp {_UDP_PORT}.",
    )
    add = parser.add_argument
    add("--protocol", choices=_MODEL_OF_PROTOCOL, help="default: that of the model, or siyi")
    add("--model", metavar="NAME", help=f"{', '.join(MODELS)}; default: zr10, or a40 for viewpro")
    add("--host", default="127.0.0.1", help="address to listen on; default: 127.0.0.1")
    add("--tcp", type=int, metavar="PORT", help="TCP port; 0: any free one")
    add("--udp", type=int, metavar="PORT", help="UDP port; 0: any free one")
    add("--serial", metavar="PATH", help="offer a pseudo-terminal under this name")
    add("--control", type=int, metavar="PORT", help="TCP port for orders at run time, on loopback")
    add("--speed", type=float, default=1.0, metavar="FACTOR", help="how many times as fast as life")
    add("--boot-s", type=float, default=0.0, metavar="S", help="seconds it boots; default: 0")
    add("--rate-map", choices=RATE_MAPS, default="measured", help="what a unit of SIYI's rate is")
    add("--upside-down", action="store_true", help="it hangs upside down")
    add("--no-card", action="store_true", help="no memory card: photos and recordings fail")
    add("--no-stream", action="store_true", help="it does not push attitude, whatever the model")
    add(
        "--vehicle",
        metavar="LAT,LON,ALT[,HEADING]",
        help="mavlink: its autopilot tells where it is; deg, deg, m above the ellipsoid, deg",
    )
    add("--seed", type=int, default=0, help="of the faults' dice")
    faults = parser.add_argument_group("faults from the start, see also --control")
    for field in fields(InjectedFaults):
        name = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            faults.add_argument(name, action="store_true")
        else:
            faults.add_argument(name, type=float, default=field.default, metavar="X")
    return parser


def _model(options: argparse.Namespace) -> GimbalModel:
    model = model_named(options.model or _MODEL_OF_PROTOCOL[options.protocol or "siyi"])
    if options.protocol not in (None, model.protocol):
        raise InvalidValueError(
            f"model {model.name} speaks {model.protocol}, not {options.protocol}: leave one out"
        )
    return replace(model, streams=model.streams and not options.no_stream)


def _lines(options: argparse.Namespace, model: GimbalModel) -> _Lines:
    chosen = _Lines(options.tcp, options.udp, options.serial)
    if chosen == _Lines(None, None, None):
        chosen = _Lines(_TCP_PORT, _UDP_PORT if model.protocol == "siyi" else None, None)
    for name in ("tcp", "udp"):
        port = getattr(chosen, name)
        if port is not None:
            check_range(name, port, 0, 65_535, error=InvalidValueError)
    return chosen


def _gimbal(options: argparse.Namespace, model: GimbalModel) -> MockGimbal:
    check_range("boot-s", options.boot_s, 0.0, 600.0, unit="s", error=InvalidValueError)
    dynamics = Dynamics().times(options.speed)
    gimbal = MockGimbal.create(model, time.monotonic(), options.boot_s, dynamics)
    if options.vehicle is not None:
        gimbal.vehicle = _vehicle(options.vehicle, model)
    gimbal.rate_map = RATE_MAPS[options.rate_map]
    gimbal.camera.is_upside_down = options.upside_down
    gimbal.camera.has_card = not options.no_card
    return gimbal


def _vehicle(text: str, model: GimbalModel) -> MockVehicle:
    if model.protocol != "mavlink":
        raise InvalidValueError(f"vehicle: it speaks mavlink, not {model.protocol}")
    from gimbal_driver_pkg.mock.vehicle import MockVehicle  # pymavlink takes 0.2 s to load

    return MockVehicle.parse(text)


async def _serve(options: argparse.Namespace) -> None:
    model = _model(options)
    lines = _lines(options, model)
    faults = InjectedFaults(
        **{field.name: getattr(options, field.name) for field in fields(InjectedFaults)}
    )
    server = MockServer(_gimbal(options, model), faults, options.seed)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        print(f"mock {model.title}, protocol {model.protocol}", flush=True)
        if lines.tcp is not None:
            _tell("tcp", options.host, await server.listen_tcp(options.host, lines.tcp))
        if lines.udp is not None:
            _tell("udp", options.host, await server.listen_udp(options.host, lines.udp))
        if lines.serial is not None:
            server.open_terminal(lines.serial)
            print(f"listening on serial {lines.serial}", flush=True)
        if options.control is not None:
            _tell("control", "127.0.0.1", await server.listen_control("127.0.0.1", options.control))
        print("ready", flush=True)
        serving = asyncio.create_task(server.serve())
        serving.add_done_callback(lambda _: stop.set())
        await stop.wait()
        if serving.done():
            await serving  # raises why it ended
        serving.cancel()
    finally:
        server.close()


def _tell(kind: str, host: str, port: int) -> None:
    print(f"listening on {kind} {host}:{port}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command."""
    options = _parser().parse_args(arguments)
    try:
        asyncio.run(_serve(options))
    except GimbalError as error:
        print(f"mock_gimbal: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
