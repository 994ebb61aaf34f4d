"""What was found, and where the robot is, to teams with TAK (ATAK, WinTAK, iTAK)."""
