"""The run folder: the one contract between a training program and whoever follows it."""
