"""The run folder: the one contract between a training program and whoever follows it."""

RECORDINGS = "recordings"
"""In the run folder of a job that records: a folder for each recording."""
CAPTURE = "capture.json"
"""What its receivers were doing when it last said so."""
