"""The queue of jobs: what may be asked for, who may run it, who holds it, and how waiting workers are told."""
