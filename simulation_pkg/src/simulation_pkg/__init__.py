"""The simulated world: its camera, the demo's judge, the stub's eyes. Not needed on a robot."""
