"""What goes into an image: files become deterministic layer blobs."""
