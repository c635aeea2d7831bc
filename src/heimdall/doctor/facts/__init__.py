"""What is known about the machine: read from its files and asked of its programs, without a judgement."""

from heimdall.doctor.facts.machine import Facts, Plan

__all__ = ["Facts", "Plan"]
