"""Training: a configuration in, a run folder with a trained network out; start at `loop.train`."""
