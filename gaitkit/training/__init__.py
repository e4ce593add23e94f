"""The training engine: loop, options, sampling, checkpoints, history. It knows no system."""
