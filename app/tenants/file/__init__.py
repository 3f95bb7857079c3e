"""The tenants file: read, checked, told with line and reason, assembled into a snapshot."""
