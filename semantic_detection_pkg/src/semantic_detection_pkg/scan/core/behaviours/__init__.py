"""Behaviours of the tree: each looks at the blackboard and says what is wanted of the gimbal."""
