"""Rules of the house that nothing else would notice being broken."""
