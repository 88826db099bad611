"""Tests of the plan, and of the image that is put together from it."""
