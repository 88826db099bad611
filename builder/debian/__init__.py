"""Debian packages without apt, dpkg or root: chosen, fetched, checked and unpacked into entries."""
