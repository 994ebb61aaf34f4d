"""The disk behind the recorder: MCAP segments, their repair, tables, events. No ROS."""
