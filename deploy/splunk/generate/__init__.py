"""What of the two packages is made by code: dashboards, props.conf, app.conf and app.manifest.

``python -m deploy.splunk.generate`` writes them; a test holds them to this code. Everything else in the packages is
written by hand.
"""
