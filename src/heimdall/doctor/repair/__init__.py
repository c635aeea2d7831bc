"""What to type: the commands that fit the machine, and those of them that `--fix` may do itself."""
