"""`python -m bandstand` is the command line."""

import gc

# Nothing made while modules load is garbage; looking for it would take a tenth of a server's start.
gc.disable()

from bandstand.cli import main  # noqa: E402

gc.enable()
main(prog_name="bandstand")
