"""python -m elephant_console."""

from .cli import main

main(prog_name="elephant-console")
