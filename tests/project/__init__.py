"""Tests of the application: its settings, its lock, and what uv installs from them."""
