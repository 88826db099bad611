"""The whole program, run as users run it, on real input."""
