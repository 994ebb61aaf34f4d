"""Fixtures of NVIDIA's own libraries, where they are installed."""

import pytest

from semantic_detection_pkg.detector.backends.trt.families import RTX
from semantic_detection_pkg.detector.backends.trt.platform import find_platform
from semantic_detection_pkg.errors import ConfigurationError


@pytest.fixture(scope="module")
def tensorrt_rtx():
    """NVIDIA's own TensorRT for RTX, which builds plans without a GPU, too."""
    return pytest.importorskip(
        "tensorrt_rtx_bindings",
        reason="tensorrt-rtx-cu13-bindings is missing: tools/setup/tensorrt.sh, x86-64 only",
        exc_type=ImportError,
    )


@pytest.fixture(scope="module")
def no_gpu():
    """For what a machine without a usable GPU says."""
    try:
        find_platform(RTX)
    except ConfigurationError:
        return
    pytest.skip("this machine has a GPU; these are for those without")
