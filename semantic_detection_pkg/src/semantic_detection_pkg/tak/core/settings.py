"""What can be set about the node `tak`."""

from __future__ import annotations

from dataclasses import dataclass

from ros_support_pkg.core.settings import setting

#: States of findings that may be told, surest first.
STATES = ("confirmed", "uncertain", "candidate")


@dataclass(frozen=True)
class TakSettings:
    """Settings of the node `tak`."""

    server: str = setting(
        "udp://239.2.3.1:6969",
        "where events go: tcp://HOST:PORT, tls://HOST:PORT, or udp://HOST:PORT for the mesh, whose "
        "group is 239.2.3.1",
    )
    ca_file: str = setting(
        "", "tls: certificate of the server's authority, PEM; '': those that this machine trusts"
    )
    certificate_file: str = setting("", "tls: certificate of this robot, PEM; '': none is shown")
    key_file: str = setting("", "tls: its private key, PEM; '': in certificate_file")
    key_password_file: str = setting(
        "", "tls: file whose first line opens the key; '': the variable TAK_KEY_PASSWORD, or none"
    )
    server_name: str = setting(
        "", "tls: name in the server's certificate, where that is not the host of `server`"
    )
    check_server_name: bool = setting(
        True, "tls: refuse a certificate of another name; the authority is checked in any case"
    )
    multicast_interface: str = setting(
        "", "udp: address of this machine on the network of the group; '': the system chooses"
    )
    multicast_ttl: int = setting(
        1, "udp: routers that a packet to a group may pass", minimum=0, maximum=255
    )
    callsign: str = setting("", "what the robot is called; '': its namespace, or the host's name")
    team: str = setting("Cyan", "colour of the robot's team, as TAK names them")
    role: str = setting("Team Member", "role of the robot in the team, as TAK names them")
    robot_type: str = setting(
        "a-f-A-M-H-Q", "CoT type of the robot: a drone with rotors; a-f-G-E-V: a vehicle"
    )
    states: tuple[str, ...] = setting(
        ("confirmed", "uncertain"),
        f"states of findings that are told: {', '.join(STATES)}; what leaves them goes stale",
    )
    update_period_s: float = setting(
        1.0, "between two words of where robot and camera are", minimum=0.1, maximum=60.0
    )
    area_period_s: float = setting(
        10.0, "at least between two words of the searched area", minimum=1.0, maximum=600.0
    )
    finding_lifetime_s: float = setting(
        1800.0,
        "after which a finding goes stale once the robot is not heard any more; it is told again "
        "after half of it",
        minimum=10.0,
        maximum=86400.0,
    )
    max_reconnect_wait_s: float = setting(
        10.0, "longest wait before the server is tried again", minimum=1.0, maximum=300.0
    )
    page_url: str = setting(
        "", "address of the robot's page as the teams reach it, for links to pictures; '': no links"
    )
    allow_look_here: bool = setting(
        False,
        "point the scan where a team asks: by a point sent to the robot's callsign, or named "
        "'look here'",
    )
    allow_search_area: bool = setting(
        False,
        "begin a scan where a team asks: of a polygon, rectangle or circle sent to the robot's "
        "callsign, or named 'search here'; it takes over from the scan in hand",
    )
    search_words: tuple[str, ...] = setting(
        ("",), "what is searched for there; ['']: what was searched for last"
    )
