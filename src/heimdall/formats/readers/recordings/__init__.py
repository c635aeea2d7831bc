"""What recordings of several receivers have in common, whatever wrote them: takes, tuning, the channel, clipping, chunks."""
