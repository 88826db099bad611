"""How the image starts: its command, its user, its environment."""
