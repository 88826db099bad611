"""A root filesystem: what an image's layers make, as far as a build must know it."""
