"""A test's domain is empty, whoever was there before it."""

from __future__ import annotations

import socket

from ros_graph import isolated_domain


def test_a_domain_in_which_somebody_listens_is_left_alone() -> None:
    with isolated_domain() as environment:
        domain_id = int(environment["ROS_DOMAIN_ID"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as left:
        left.bind(("127.0.0.1", 7400 + 250 * domain_id + 11))
        with isolated_domain() as environment:
            assert int(environment["ROS_DOMAIN_ID"]) != domain_id
