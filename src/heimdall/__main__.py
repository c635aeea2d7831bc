"""`python -m heimdall` is `heimdall`."""

from heimdall.cli import main

main()
