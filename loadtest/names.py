"""Names of the counts and durations of a load test, for the code that records them and the code that reports them."""

from __future__ import annotations

LIKE, PHOTO = "like", "photo"  # kinds of acts; durations of these names are delivery latencies
KINDS = (LIKE, PHOTO)

# Other durations.
CONNECT = "connect"  # from opening the socket to the connect reply
RECOVERY = "recovery"  # from the loss of a connection to the reply of the next connect
REQUEST_LIKE, REQUEST_UPLOAD, REQUEST_FEED = "request like", "request upload", "request feed"

# Counts of sockets.
CONNECTED, GAVE_UP, REFUSALS, MISSING = "connected", "gave up", "refusals", "missing"
CUT, RECONNECTED, RECOVERED, UNRECOVERED = "cut", "reconnected", "recovered", "unrecovered"
PUBLICATIONS = "publications"

# Counts of deliveries, each by the kind of act: f"{LOST} {kind}".
ACTS, EXPECTED, DELIVERED, LOST, LATE, DUPLICATE = "acts", "expected", "delivered", "lost", "late", "duplicate"
UNJUDGED, TOLD_GAPS, UNFINISHED = "unjudged", "told gaps", "unfinished"
HELD_BACK, REFUSED, UNANSWERED = "held back", "refused", "unanswered"
DISORDER, REPEATED = "disorder", "repeated"  # by the offsets, of all publications
LIMITED = "limited"  # by the limit's name
