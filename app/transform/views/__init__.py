"""What is read out of each kind of hook. Pure."""
