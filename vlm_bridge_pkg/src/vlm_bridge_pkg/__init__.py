"""Bridge between the robot and a vision-language model in another container on the same GPU."""
