"""The HTTP server: uvicorn, with bounds on what strangers may take. Knows no hook, no tenant and no spool."""
