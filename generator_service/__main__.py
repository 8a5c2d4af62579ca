"""`python -m generator_service`."""

from generator_service.app import main

main()
