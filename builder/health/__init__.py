"""Start the image, wait for health, prove user, port and shutdown, and leave nothing behind."""
