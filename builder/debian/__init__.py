"""Debian packages without apt, dpkg or root: chosen, fetched, checked and unpacked into entries."""

FORMAT = 1
"""Raised when the same packages give other entries than before; part of the key of every layer
that is made of packages."""
