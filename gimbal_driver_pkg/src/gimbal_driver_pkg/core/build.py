"""A driver from names: protocol, model, line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import (
    AUTO,
    DriverSettings,
    MavlinkIdSettings,
    MavlinkSettings,
    VehicleSettings,
)
from gimbal_driver_pkg.core.vehicle_watch import VehicleWatch
from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.models import DEFAULT_MODELS, RATE_MAPS, GimbalModel, model_named
from gimbal_driver_pkg.protocol.codec import Codec
from gimbal_driver_pkg.protocol.signs import signs_of
from gimbal_driver_pkg.protocol.siyi.codec import SiyiCodec
from gimbal_driver_pkg.protocol.viewpro.codec import ViewproCodec

if TYPE_CHECKING:
    from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds


def build_driver(
    protocol: str,
    url: str,
    model: str = AUTO,
    settings: DriverSettings | None = None,
    rate_map: str = "measured",
    mavlink: MavlinkSettings | None = None,
    vehicle: VehicleSettings | None = None,
) -> GimbalDriver:
    """Return a driver for a gimbal that speaks `protocol` on the line `url`.

    Args:
        vehicle: where the vehicle is is asked for on the same line; None: it is not.

    Raises:
        InvalidValueError: a name that does not exist, a model of another protocol, or a protocol in
            which no vehicle speaks.
    """
    if protocol not in DEFAULT_MODELS:
        raise InvalidValueError(f"protocol: {protocol!r}, allowed are {', '.join(DEFAULT_MODELS)}")
    chosen = None if model == AUTO else _model_of(protocol, model)
    codec = _codec(protocol, url, chosen, rate_map, mavlink or MavlinkSettings())
    if vehicle is not None and protocol != "mavlink":
        raise InvalidValueError(
            f"publish_vehicle: true, allowed with protocol mavlink, not {protocol}; the node "
            "`vehicle` has a line to the autopilot of its own"
        )
    watch = None if vehicle is None else VehicleWatch(vehicle)
    return GimbalDriver(codec, protocol, settings or DriverSettings(), chosen, watch)


def _model_of(protocol: str, name: str) -> GimbalModel:
    model = model_named(name)
    if model.protocol != protocol:
        raise InvalidValueError(f"model: {name} speaks {model.protocol}, not {protocol}")
    return model


def _codec(
    protocol: str, url: str, model: GimbalModel | None, rate_map: str, mavlink: MavlinkSettings
) -> Codec:
    is_tcp = url.startswith("socket://")
    if protocol == "siyi":
        if rate_map not in RATE_MAPS:
            raise InvalidValueError(f"rate_map: {rate_map!r}, allowed are {', '.join(RATE_MAPS)}")
        return SiyiCodec(RATE_MAPS[rate_map], is_tcp=is_tcp)
    if protocol == "viewpro":
        signs = signs_of(protocol, model.name) if model else None
        return ViewproCodec(signs, has_envelope=is_tcp)
    # 0.2 s to load
    from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec

    ids = mavlink_ids(mavlink, mavlink.mavlink_gimbal_component_id)
    return MavlinkCodec(mavlink.mavlink_role, ids, model.zoom_max if model else 1.0)


def mavlink_ids(settings: MavlinkIdSettings, gimbal_component: int = 0) -> MavlinkIds:
    """Return the ids that are set."""
    from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds

    return MavlinkIds(
        settings.mavlink_system_id,
        settings.mavlink_component_id,
        settings.mavlink_vehicle_system_id,
        gimbal_component,
    )
