"""``python -m hwaccel`` is the command line."""

from hwaccel.cli import main

main()
