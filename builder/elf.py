"""What an ELF file says of itself: the only module that reads the format."""
