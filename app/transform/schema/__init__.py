"""The shape of every hec_event: its fields, the objects inside them, and both as JSON Schema."""
