"""All that processes of the tests import (`tests.processes`)."""

from shuniu.cli import app_for
from tests.hub import mortal_delivery, mortal_pipeline, retry_process

__all__ = ["mortal_delivery", "mortal_pipeline", "retry_process"]

app_for(())
