"""The operator's side: which deliveries there are, what became of each, and changing dead letters by hand.

``words``, ``wire`` and ``orders`` are pure: who must act, the JSON both ways, what a request asks for. ``desk`` does
it on a spool, for the API and the command line alike. ``token`` and ``api`` put it on HTTP behind one admin token.
"""
