"""What the maintainer scripts of packages would have done, done without running them."""
