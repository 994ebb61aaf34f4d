"""What can be set about the VLM bridge node."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import setting


@dataclass(frozen=True)
class VlmBridgeSettings:
    """Settings of the VLM bridge node."""

    socket: str = setting("/run/tier3/vlm.sock", "Unix socket of the VLM service")
    model: str = setting("", "name of the model, for services that have several")
    gpu_lock_file: str = setting(
        "", "kernel lock held while the service computes; '': the service takes it itself"
    )
    image_size_px: int = setting(
        384, "side of the picture sent", minimum=64, maximum=2048, formerly=("side_px",)
    )
    max_tokens: int = setting(48, "longest answer in tokens", minimum=1, maximum=512)
    prompt_variants: int = setting(
        1,
        "ways in which a class is asked for; their agreement is the confidence where the model"
        " tells no probabilities",
        minimum=1,
        maximum=3,
        formerly=("variants",),
    )
    gpu_priority: int = setting(
        100, "priority of its requests for the GPU", minimum=0, maximum=255, formerly=("priority",)
    )
