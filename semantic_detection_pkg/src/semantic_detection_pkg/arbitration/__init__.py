"""The arbiter's hands: its thread, the kernel lock, the published epoch. No ROS."""
