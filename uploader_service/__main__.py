"""`python -m uploader_service`."""

from uploader_service.app import main

main()
