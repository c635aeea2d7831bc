"""Docker on this machine, the devices it can hand over, and the training service as Compose sees it."""
