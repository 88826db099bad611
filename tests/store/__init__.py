"""Tests of the content-addressed store."""
