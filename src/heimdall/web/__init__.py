"""The page: put on top of the API's application by `install`, in the same process, calling the same functions."""

from heimdall.web.application import install

__all__ = ["install"]
