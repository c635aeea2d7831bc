"""Starting the service on this host with Docker Compose, with the accelerator the host can really serve."""
