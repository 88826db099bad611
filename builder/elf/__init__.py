"""What an ELF file says of itself to a loader."""

from builder.elf.elf import MAGIC, Elf, elf_from_fact, elf_to_fact
from builder.elf.reading import read_elf

__all__ = ["MAGIC", "Elf", "elf_from_fact", "elf_to_fact", "read_elf"]
