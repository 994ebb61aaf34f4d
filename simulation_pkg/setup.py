from setuptools import find_packages, setup

package_name = "simulation_pkg"

setup(
    name=package_name,
    version="0.1.0",
    packages=find_packages("src"),
    package_dir={"": "src"},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
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
