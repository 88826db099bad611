"""The application: its pyproject.toml, its lock, and what uv installs from them."""
