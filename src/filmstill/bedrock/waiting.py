"""Waiting between two looks at something that AWS is at work on."""

import os
import time

ENVIRONMENT = "FILMSTILL_POLL_SECONDS"
"""Looks more often than usual; for services that are quicker than AWS."""


def pause(seconds: float) -> None:
    """Wait so long, or as long as the environment says."""
    own = os.environ.get(ENVIRONMENT, "")
    time.sleep(float(own) if own.replace(".", "", 1).isdigit() else seconds)
