"""The parts of `benchmarks/gpu.py`, one module each; they run in processes of their own."""
