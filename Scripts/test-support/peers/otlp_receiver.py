"""A receiver of OpenTelemetry's traces that prints what it takes as lines of JSON.

otlp_receiver.py PORT

Requests are read by OpenTelemetry's own definition of them (opentelemetry-proto): a field that it does not know, or of
another type, is answered with 400 and told. At /v1/traces requests are taken; at /secret/v1/traces only those with the
bearer token "token"; at /partial they are, but for two spans (ExportTracePartialSuccess); at /busy they are answered with 503, at /never with 400, and at /slow after an hour, which is told
when it begins.
"""

import base64
import http.server
import json
import sys
import time

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


def tell(**event):
    print(json.dumps(event), flush=True)


def parsed(body):
    """The JSON encoding of OTLP is that of protobuf, but for identifiers, which are hexadecimal."""
    request = json.loads(body)
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64encode(bytes.fromhex(span[key])).decode()
    return json_format.ParseDict(request, ExportTraceServiceRequest())


def texts(attributes):
    return {
        one.key: one.value.string_value if one.value.HasField("string_value") else str(one.value.int_value)
        for one in attributes
    }


def tell_spans(request):
    for resource in request.resource_spans:
        of = texts(resource.resource.attributes)
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert len(span.trace_id) == 16 and len(span.span_id) == 8, span
                assert len(span.parent_span_id) in (0, 8), span
                tell(
                    span=dict(
                        name=span.name,
                        trace=span.trace_id.hex(),
                        id=span.span_id.hex(),
                        parent=span.parent_span_id.hex() or None,
                        start=span.start_time_unix_nano / 1e9,
                        end=span.end_time_unix_nano / 1e9,
                        attributes=texts(span.attributes),
                        isError=span.status.code == 2,
                        resource=of,
                    )
                )


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.status()
        if status == 200:
            try:
                assert self.headers["Content-Type"] == "application/json"
                request = parsed(body)
                tell_spans(request)
            except Exception as fault:
                tell(fault=str(fault))
                status = 400
        # Before the answer, so that it is there when the client has it.
        tell(status=status)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        answer = ExportTraceServiceResponse()
        if self.path == "/partial":
            answer.partial_success.rejected_spans = 2
            answer.partial_success.error_message = "too old\n"
        text = json_format.MessageToJson(answer).encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def status(self):
        if self.path == "/slow":
            tell(slow=True)
            time.sleep(3600)
        if self.path == "/secret/v1/traces":
            return 200 if self.headers["Authorization"] == "Bearer token" else 401
        return {"/v1/traces": 200, "/partial": 200, "/busy": 503, "/never": 400}.get(self.path, 404)

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
