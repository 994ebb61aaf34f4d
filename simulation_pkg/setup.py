from glob import glob
from pathlib import Path

from setuptools import Extension, find_packages, setup

package_name = "simulation_pkg"
kernels = f"src/{package_name}/kernels/compiled"
# What all vector loops of the workspace share, `dispatch.h`, lies in the package that comes first.
workspace = Path(__file__).resolve().parent.parent
shared = workspace / "semantic_detection_pkg/src/semantic_detection_pkg/detector/kernels/compiled"


def kernel(source: str) -> Extension:
    """One compiled module; flags and reasons as in semantic_detection_pkg/setup.py."""
    return Extension(
        f"{package_name}.kernels.compiled.{Path(source).stem}",
        [source],
        depends=[*glob(f"{kernels}/*.h"), str(shared / "dispatch.h")],
        include_dirs=[str(shared)],
        extra_compile_args=["-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"],
    )


setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages("src"),
    package_dir={"": "src"},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    ext_modules=[kernel(source) for source in sorted(glob(f"{kernels}/*.pyx"))],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "console_scripts": ["demo_judge = simulation_pkg.programs:demo_judge"],
        # How the robot's packages find what stands in for the world.
        "semantic_detection.cameras": [
            "sim = simulation_pkg.camera",
            "photo = simulation_pkg.photo_camera",
            "fake = simulation_pkg.fakes.camera",
        ],
        "semantic_detection.engines": ["fake = simulation_pkg.fakes.engine"],
        "semantic_detection.cameras_in_graph": [
            "sim = simulation_pkg.ros.world:attach",
            "photo = simulation_pkg.ros.world:attach_photo",
        ],
        "semantic_detection.vlm_eyes": ["world = simulation_pkg.vlm_eyes:WorldEyes"],
    },
    maintainer="semantic detection maintainers",
    maintainer_email="maintainers@semantic-detection.example.org",
    description="The simulated world and its camera, the demo's judge, harnesses of tests.",
    license="Apache-2.0",
)
