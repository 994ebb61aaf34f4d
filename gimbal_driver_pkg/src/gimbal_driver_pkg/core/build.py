"""A driver from names: protocol, model, line."""

from __future__ import annotations

from gimbal_driver_pkg.core.driver import GimbalDriver
from gimbal_driver_pkg.core.settings import AUTO, DriverSettings, MavlinkSettings
from gimbal_driver_pkg.errors import InvalidValueError
from gimbal_driver_pkg.models import DEFAULT_MODELS, RATE_MAPS, GimbalModel, model_named
from gimbal_driver_pkg.protocol.codec import Codec
from gimbal_driver_pkg.protocol.signs import signs_of
from gimbal_driver_pkg.protocol.siyi.codec import SiyiCodec
from gimbal_driver_pkg.protocol.viewpro.codec import ViewproCodec


def build_driver(
    protocol: str,
    url: str,
    model: str = AUTO,
    settings: DriverSettings | None = None,
    rate_map: str = "measured",
    mavlink: MavlinkSettings | None = None,
) -> GimbalDriver:
    """Return a driver for a gimbal that speaks `protocol` on the line `url`.

    Raises:
        InvalidValueError: a name that does not exist, or a model of another protocol.
    """
    if protocol not in DEFAULT_MODELS:
        raise InvalidValueError(f"protocol: {protocol!r}, allowed are {', '.join(DEFAULT_MODELS)}")
    chosen = None if model == AUTO else _model_of(protocol, model)
    codec = _codec(protocol, url, chosen, rate_map, mavlink or MavlinkSettings())
    return GimbalDriver(codec, protocol, settings or DriverSettings(), chosen)


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
    from gimbal_driver_pkg.protocol.mavlink.addresses import MavlinkIds
    from gimbal_driver_pkg.protocol.mavlink.codec import MavlinkCodec

    ids = MavlinkIds(
        mavlink.mavlink_system_id,
        mavlink.mavlink_component_id,
        mavlink.mavlink_vehicle_system_id,
        mavlink.mavlink_gimbal_component_id,
    )
    return MavlinkCodec(mavlink.mavlink_role, ids, model.zoom_max if model else 1.0)
