"""Container images from uv projects: no Dockerfile, no daemon, no root."""

__version__ = "0.1.0"
