"""Whether this process can do its work, told to people, probes and Prometheus."""
