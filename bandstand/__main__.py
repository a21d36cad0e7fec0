"""`python -m bandstand` is the command line."""

from bandstand.start import nothing_collected

with nothing_collected():
    from bandstand.cli import main

main(prog_name="bandstand")
