"""The operator's pages under ``/admin``: what ``app.admin`` answers, for a person with a browser.

Server-rendered; every page and action works without JavaScript. ``live.js`` only looks at the same page again.
"""
