"""Reading a damaged file: what can be read, around what cannot, and going on with it in a new one."""
