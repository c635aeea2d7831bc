"""Models: what they score, which one is champion, and those held in memory."""
