"""These files are run by `launch_test`; see test/test_launch_testing.py."""

collect_ignore_glob = ["*_test.py"]
