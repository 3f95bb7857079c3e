"""What Sentry says: signature, headers, resources. Pure."""
