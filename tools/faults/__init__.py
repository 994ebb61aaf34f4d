"""A campaign of faults against the whole robot in real processes: `make faults`.

The robot is that of `robot.launch.yaml`, respawned as in the field, with a simulated world, a mock
gimbal and a stand-in for the language model. It is only seen from outside: by what it publishes and
by what lies on its disk. Two parts, the recorder and the turns on the GPU, have faults of their own
without a robot around them, in numbers that a robot would take days for.

    robot     the graph, started and watched
    kept      what may not get lost, before and after a fault
    holdings  memory, threads, files; whether they pile up
    trials    the faults
    parts     those of single parts
    report    what came of them
"""
