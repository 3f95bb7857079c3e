"""Who may send, where it goes, and with which secrets."""
