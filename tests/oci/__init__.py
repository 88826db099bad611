"""Tests of the image specification as values."""
