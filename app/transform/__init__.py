"""A hook becomes a hec_event: schema, views, routing, redaction, size budget. Pure."""

from app.transform.compose import Filtered, transform

__all__ = ["Filtered", "transform"]
