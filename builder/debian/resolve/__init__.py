"""Which packages are needed, as apt would choose them."""
