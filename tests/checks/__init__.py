"""Tests of what is verified before an image exists."""
