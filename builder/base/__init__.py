"""Where base images come from, and what a build must know of them."""
