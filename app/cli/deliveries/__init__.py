"""``relay deliveries``: look at deliveries, redeliver and discard dead letters."""

from app.cli.deliveries.commands import deliveries_command

__all__ = ["deliveries_command"]
