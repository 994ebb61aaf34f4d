from setuptools import find_packages, setup

package_name = "gimbal_driver_pkg"

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
        "console_scripts": [
            "decode = gimbal_driver_pkg.cli.decode:main",
            "encode = gimbal_driver_pkg.cli.encode:main",
            "gimbal_driver = gimbal_driver_pkg.programs:gimbal_driver",
            "vehicle = gimbal_driver_pkg.programs:vehicle",
            "mock_gimbal = gimbal_driver_pkg.programs:mock_gimbal",
        ],
        "semantic_detection.nodes": [
            "gimbal_driver = gimbal_driver_pkg.node:main",
            "vehicle = gimbal_driver_pkg.vehicle_node:main",
        ],
    },
    maintainer="semantic detection maintainers",
    maintainer_email="maintainers@semantic-detection.example.org",
    description="Gimbal driver for SIYI, Viewpro and MAVLink gimbals, and a mock gimbal.",
    license="Apache-2.0",
)
