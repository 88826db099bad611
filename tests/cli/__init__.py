"""The program as a process: every way to call it badly, and what is left when it is stopped."""
