"""What can be set about the dashboard node."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import setting
from semantic_detection_pkg.camera.core.settings import frame_transport_setting
from semantic_detection_pkg.common.core.settings import max_latency_setting, wide_hfov_setting


@dataclass(frozen=True)
class DashboardNodeSettings:
    """Settings of the dashboard node."""

    host: str = setting("127.0.0.1", "address to listen on; others than this need a token")
    port: int = setting(8080, "TCP port; 0: a free one", minimum=0, maximum=65535)
    # The token itself is no parameter: `ros2 param dump` and a bag's parameters would show it.
    token_file: str = setting(
        "",
        "file whose first line is what control needs, at least 8 characters; '': the variable "
        "DASHBOARD_TOKEN, which wins anyway, or none",
        formerly=("token",),
    )
    allow_anonymous_viewing: bool = setting(
        False, "with a token: viewing needs none", formerly=("allow_viewing",)
    )
    output_dir: str = setting("output/recordings", "folder of the recordings, for evidence")
    map_tiles_file: str = setting(
        "",
        "MBTiles or PMTiles file of raster tiles for the page's map; '': a grid in metres",
    )
    frame_transport: str = frame_transport_setting()
    image_width_px: int = setting(
        1280,
        "wider frames are made smaller for the page",
        minimum=160,
        maximum=3840,
        formerly=("picture_width",),
    )
    jpeg_quality: int = setting(
        75,
        "quality of the page's pictures",
        unit="%",
        minimum=10,
        maximum=100,
        formerly=("picture_quality",),
    )
    max_picture_latency_s: float = max_latency_setting("pictures that viewers are shown")
    wide_hfov_rad: float = wide_hfov_setting()
