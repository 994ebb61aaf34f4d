"""Leaves of the behaviour tree: each looks at the mission and says what is wanted of the gimbal."""
