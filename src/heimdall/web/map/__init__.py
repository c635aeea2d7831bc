"""The map with its sessions and their fixes."""
