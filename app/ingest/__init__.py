"""A webhook comes in: limits, tenant, answer."""
