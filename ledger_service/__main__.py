"""`python -m ledger_service`."""

from ledger_service.app import main

main()
