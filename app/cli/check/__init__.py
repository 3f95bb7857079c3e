"""``relay check``: settings, tenants, secrets, and every Splunk asked."""

from app.cli.check.command import check_command

__all__ = ["check_command"]
