"""A mail server and a web server that print what they take as lines of JSON.

notification_servers.py MAIL_PORT WEB_PORT CERTIFICATE KEY

The mail server demands STARTTLS and the login segmentd with the password "secret". The web server takes
POST at /hook with the bearer token "token"; at /busy it answers 503.
"""

import email
import email.policy
import http.server
import json
import ssl
import sys

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult


def tell(**event):
    print(json.dumps(event), flush=True)


class Mailbox:
    async def handle_DATA(self, server, session, envelope):
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        tell(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            subject=message["Subject"],
            text=message.get_body().get_content(),
        )
        return "250 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = data.login == b"segmentd" and data.password == b"secret"
    return AuthResult(success=good, handled=False)


class Hook(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.answer()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        # Before the answer, so that it is there when the client has it.
        if self.status() == 200:
            tell(message=json.loads(body))
        self.answer()

    def status(self):
        if self.headers["Authorization"] != "Bearer token":
            return 401
        return 200 if self.path == "/hook" else 503

    def answer(self):
        self.send_response(self.status())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


mail_port, web_port, certificate, key = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
web = http.server.ThreadingHTTPServer(("127.0.0.1", int(web_port)), Hook)
Controller(
    Mailbox(),
    hostname="127.0.0.1",
    port=int(mail_port),
    tls_context=context,
    require_starttls=True,
    auth_required=True,
    authenticator=authenticate,
).start()
web.serve_forever()
