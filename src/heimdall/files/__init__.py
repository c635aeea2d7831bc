"""Files that are written whole or not at all, a full disk, and the place where runs and models are kept."""
