"""The same work on many items: by processes of this machine or by a Ray cluster."""
