"""What is verified before an image exists."""
