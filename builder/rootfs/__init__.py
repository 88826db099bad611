"""A root filesystem: what an image's layers make, as far as a build must know it."""

INDEX_FORMAT = 1
"""Raised when the same layers give another file index than before, or it is written otherwise."""
