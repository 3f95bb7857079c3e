"""What is taken out of a hec_event: credentials, personal data, and what a tenant does not want. Pure."""
