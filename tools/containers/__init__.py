"""The development stack in real containers: built, started, looked at, killed, stopped, measured.

`make containers`; by podman and podman-compose, as root, on Debian. All that is made lies in one
folder with an engine's storage of its own, and goes at the end.
"""
