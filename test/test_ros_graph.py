"""The probe of graph tests and benches."""

from __future__ import annotations

import pytest
from ros_graph import GraphProbe
from std_msgs.msg import String

from ros_support_pkg.qos import RECORD

pytestmark = pytest.mark.graph


def test_who_listens_twice_counts_each_message_once(probe: GraphProbe) -> None:
    publisher = probe.node.create_publisher(String, "said", RECORD)
    first, second = (probe.listen(String, "said", RECORD) for _ in range(2))
    publisher.publish(String(data="once"))
    probe.wait_for(lambda: first and second, "the message, twice")
    assert [one.data for one in first] == [one.data for one in second] == ["once"]
