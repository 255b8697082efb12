"""How a request is spelled and its stream of tokens read, for each kind of server.

An exchange turns a job ({tokens, adapter, count}) into bytes, and takes the answer's bytes as
they come: `feed` says how many tokens arrived and whether the answer is complete. `last` is the event
that ended it. All of them parse every event, so that none costs the machine less than another.
"""

import json


class ExchangeError(Exception):
    """The server answered with something else than tokens."""


class GraftLines:
    """Graft's line protocol. A job's adapter is its name, or its number where there are `adapter_names`; a
    job may also be a whole `request`."""

    def __init__(self, adapter_names=None):
        self.adapter_names = adapter_names
        self.rest, self.last = b"", None

    def request(self, job):
        self.rest, self.last = b"", None
        name = job["adapter"]
        if name is not None and self.adapter_names is not None:
            name = self.adapter_names[name]
        body = job.get("request") or {
            "tokens": job["tokens"], "adapter": name, "max_tokens": job["count"], "temperature": 0,
            "ignore_eos": True}
        return json.dumps({"id": 1} | body).encode() + b"\n"

    def feed(self, data):
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        count = 0
        for line in lines:
            event = json.loads(line)
            if event["event"] == "token":
                count += 1
            elif event["event"] == "done":
                if event["usage"]["cached_tokens"]:
                    raise ExchangeError("a prompt was found in the cache: its time means nothing")
                self.last = event
                return count, True
            else:
                raise ExchangeError(line.decode(errors="replace"))
        return count, False


class ServerSentEvents:
    """HTTP with a stream of `data:` lines; one connection a request."""

    path = "/completion"

    def __init__(self, host="127.0.0.1"):
        self.host = host
        self.rest, self.last = b"", None
        self.seen_head = False

    def body(self, job):
        """The JSON body of a job."""
        raise NotImplementedError

    def tokens_in(self, payload):
        """How many tokens one `data:` line brings, and whether it is the last."""
        raise NotImplementedError

    def request(self, job):
        self.rest, self.seen_head = b"", False
        body = json.dumps(self.body(job)).encode()
        head = (f"POST {self.path} HTTP/1.1\r\nHost: {self.host}\r\nConnection: close\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n")
        return head.encode() + body

    def feed(self, data):
        self.rest += data
        if not self.seen_head:
            head, separator, self.rest = self.rest.partition(b"\r\n\r\n")
            if not separator:
                self.rest = head
                return 0, False
            if b" 200 " not in head.split(b"\r\n", 1)[0]:
                raise ExchangeError((head + b" " + self.rest).decode(errors="replace")[:400])
            self.seen_head = True
        lines = self.rest.split(b"\n")
        self.rest = lines.pop()
        count = 0
        for line in lines:
            if line.startswith(b"data:"):
                found, last = self.tokens_in(line[5:].strip())
                count += found
                if last:
                    return count, True
        return count, False


class LlamaCompletions(ServerSentEvents):
    """llama-server's own `/completion`, with the adapters of a request in its `lora` field."""

    def __init__(self, adapter_count):
        super().__init__()
        self.adapter_count = adapter_count
        self.counted = 0

    def body(self, job):
        self.counted = 0
        body = {"prompt": job["tokens"], "n_predict": job["count"], "temperature": 0,
                "ignore_eos": True, "stream": True, "cache_prompt": False}
        if self.adapter_count:
            body["lora"] = [{"id": i, "scale": 1.0 if i == job["adapter"] else 0.0}
                            for i in range(self.adapter_count)]
        return body

    def tokens_in(self, payload):
        event = json.loads(payload)
        if event.get("stop"):
            # A token in the middle of a character has no event of its own.
            return event["tokens_predicted"] - self.counted, True
        if "error" in event:
            raise ExchangeError(payload.decode(errors="replace")[:400])
        self.counted += 1
        return 1, False


class OpenAICompletions(ServerSentEvents):
    """The `/v1/completions` of vLLM: the adapter is the model."""

    path = "/v1/completions"

    def __init__(self, base_name, adapter_names):
        super().__init__()
        self.base_name, self.adapter_names = base_name, adapter_names

    def body(self, job):
        name = self.base_name if job["adapter"] is None else self.adapter_names[job["adapter"]]
        return {"model": name, "prompt": job["tokens"], "max_tokens": job["count"],
                "temperature": 0, "ignore_eos": True, "stream": True,
                "return_token_ids": True}

    def tokens_in(self, payload):
        if payload == b"[DONE]":
            return 0, True
        event = json.loads(payload)
        if "error" in event:
            raise ExchangeError(payload.decode(errors="replace")[:400])
        return sum(len(c.get("token_ids") or []) for c in event["choices"]), False
