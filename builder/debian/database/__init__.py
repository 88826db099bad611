"""dpkg's database: what a root says is installed in it."""
