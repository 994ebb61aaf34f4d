"""One command for a machine with a GPU and no network: does the GPU path do what the fakes say?

    python -m gpu_check pack --out wheels        # with a network: fetch the wheels, in small parts
    python -m gpu_check run --wheels wheels --out gpu.json

Each step runs in a process of its own and ends with figures, or with why it could not be done.
"""
