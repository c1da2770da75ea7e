"""A receiver of signed webhooks: checks each signature, drops repetitions, prints the totals."""

import base64
import hashlib
import hmac
import json
import os
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SECRET = base64.b64decode(os.environ["BILLING_SECRET"].removeprefix("whsec_"))
TOLERANCE_S = 300  # a request that is older was recorded and is played again
taken: set[str] = set()  # in earnest a unique column in a database


class Receiver(BaseHTTPRequestHandler):
    """Answers 204 to what it took, 401 to what is not signed with the secret."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if not self._is_signed(body):
            self._answer(401)
            return
        flush = json.loads(body)
        if flush["id"] not in taken:
            taken.add(flush["id"])
            values = flush["values"]
            told = f"{values['sum_seconds']} seconds, {values['charges']}, {values['count']} calls"
            print(f"{flush['group']['account']}: {told}; signature verified", flush=True)
        self._answer(204)

    def _is_signed(self, body: bytes) -> bool:
        webhook_id = self.headers.get("webhook-id", "")
        sent_at = self.headers.get("webhook-timestamp", "")
        if not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE_S:
            return False
        signed = f"{webhook_id}.{sent_at}.".encode() + body
        digest = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
        signatures = self.headers.get("webhook-signature", "").split()
        return any(hmac.compare_digest(f"v1,{digest}", each) for each in signatures)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Says nothing by itself."""


print("listening on http://127.0.0.1:18765/hooks", flush=True)
HTTPServer(("127.0.0.1", 18765), Receiver).serve_forever()
