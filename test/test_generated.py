"""What is made from the code is up to date: config files, ROS API, interface snapshot, licences."""

import os

import pytest
from generated.files import FILES, ROOT


@pytest.mark.graph
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", FILES)
def test_file_is_up_to_date(name: str) -> None:
    if name == "docs/licences.md" and "ROS_DISTRO" in os.environ:
        pytest.skip("the ROS wheels, whose licences it lists, are not installed beside an apt ROS")
    assert (ROOT / name).read_text() == FILES[name](), f"{name} is out of date: run `make docs`"
