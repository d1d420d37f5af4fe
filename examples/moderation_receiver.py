"""A moderation service for PicShare: asks an interface like OpenAI's /v1/moderations about each photo, and decides.

Start it with the webhook's secret in WEBHOOK_SECRET, the address of the interface in MODERATION_URL and its key in
MODERATION_KEY: python moderation_receiver.py 8080. It needs nothing but Python's standard library.
"""

import base64
import hmac
import json
import os
import sys
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
HIDDEN = {"sexual/minors", "violence/graphic", "hate/threatening"}  # other categories only blur the photo


def verify(headers, body):
    """Raise ValueError unless the message is signed with the secret, and at most 5 minutes old."""
    message, second = headers["webhook-id"], headers["webhook-timestamp"]
    expected = "v1," + base64.b64encode(hmac.digest(KEY, f"{message}.{second}.".encode() + body, "sha256")).decode()
    valid = any(hmac.compare_digest(expected, one) for one in headers["webhook-signature"].split())
    if not valid or abs(time.time() - int(second)) > 300:
        raise ValueError("no signature is valid, or the message is too old")


def ask(photo):
    """Return the scores of the photo by category, of those that are flagged."""
    text = " ".join([photo["caption"], photo["alt_text"], *photo["tags"]])
    pictures = [item["media"]["url"] for item in photo.get("items", [photo])]
    scores = {}
    for url in pictures:  # the interface takes one image at a time
        content = [{"type": "text", "text": text or "-"}, {"type": "image_url", "image_url": {"url": url}}]
        body = json.dumps({"model": "omni-moderation-latest", "input": content}).encode()
        key = f"Bearer {os.environ.get('MODERATION_KEY', '')}"
        headers = {"Content-Type": "application/json", "Authorization": key}
        request = urllib.request.Request(os.environ["MODERATION_URL"], body, headers)
        with urllib.request.urlopen(request, timeout=12) as response:
            (result,) = json.load(response)["results"]
        flagged = {name: score for name, score in result["category_scores"].items() if result["categories"][name]}
        scores.update({name: max(score, scores.get(name, 0)) for name, score in flagged.items()})
    return scores


def verdict_of(event):
    """Return the response to a message; without a verdict PicShare does as its settings say."""
    if event["type"] != "photo.ready":
        return {"challenge": event["data"].get("challenge")}
    scores = ask(event["data"])
    if not scores:
        return {"verdict": "allow"}
    rule = max(scores, key=scores.get)
    return {
        "verdict": "hide" if HIDDEN & scores.keys() else "sensitive",
        "rule": rule,
        "labels": scores,
        "reason": f"It was found to show: {rule}",
    }


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            verify(self.headers, body)
        except (TypeError, ValueError) as error:
            return self.send_error(401, str(error))
        try:
            answer = json.dumps(verdict_of(json.loads(body))).encode()
        except OSError as error:  # PicShare sends the message again
            return self.send_error(503, str(error))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
