"""Debian archives: their sources, signatures, indexes and packages."""
