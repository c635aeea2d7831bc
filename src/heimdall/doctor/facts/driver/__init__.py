"""The NVIDIA driver on this machine: its kernel module, libraries and packages, and what it answers."""
