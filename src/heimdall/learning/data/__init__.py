"""What a training is fed: simulated scenes and recordings, as windows."""
