"""The names under which a load test counts, one place for those who count and those who report."""

from __future__ import annotations

LIKE, PHOTO = "like", "photo"  # kinds of acts; their durations are the delivery latencies
KINDS = (LIKE, PHOTO)

# Durations beside the kinds'.
CONNECT = "connect"  # from the first byte sent to the streams' positions
RECOVERY = "recovery"  # the same for a socket that was cut or closed, from that moment on
REQUEST_LIKE, REQUEST_UPLOAD, REQUEST_FEED = "request like", "request upload", "request feed"

# Counts of sockets.
CONNECTED, GAVE_UP, REFUSALS, MISSING = "connected", "gave up", "refusals", "missing"
CUT, RECONNECTED, RECOVERED, UNRECOVERED = "cut", "reconnected", "recovered", "unrecovered"
PUBLICATIONS = "publications"

# Counts of deliveries, each by the kind of act: f"{LOST} {kind}".
ACTS, EXPECTED, DELIVERED, LOST, LATE, DUPLICATE = "acts", "expected", "delivered", "lost", "late", "duplicate"
UNJUDGED, TOLD_GAPS, UNFINISHED = "unjudged", "told gaps", "unfinished"
HELD_BACK, REFUSED, UNANSWERED = "held back", "refused", "unanswered"
DISORDER, REPEATED = "disorder", "repeated"  # by the offsets, whatever was told
LIMITED = "limited"  # by the limit's name
