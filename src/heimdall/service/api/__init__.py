"""The HTTP API."""

from heimdall.service.api.app import create_app

__all__ = ["create_app"]
