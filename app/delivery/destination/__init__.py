"""One destination: what it is sent, at which rate, when it pauses, and what its answers mean."""
