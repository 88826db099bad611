"""Container images from uv projects: no Dockerfile, no daemon, no root."""
