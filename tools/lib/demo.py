"""Talks to a `graft serve` process: one question to the base and every adapter in one batch.

Started by tools/demo, which builds the program and gets the model.
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time

READY_SECONDS = 60


class Server:
    """A `graft serve` process on a Unix socket of its own."""

    def __init__(self, graft, base, adapters):
        self.directory = tempfile.mkdtemp(prefix="graft-demo-")
        path = os.path.join(self.directory, "graft.sock")
        command = [graft, "serve", "--base", base, "--socket", path]
        for adapter in adapters:
            command += ["--adapter", adapter]
        self.log = open(os.path.join(self.directory, "log"), "w+", encoding="utf-8")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.log)
        self.socket = self._connect(path)
        self.lines = self.socket.makefile("r", encoding="utf-8", newline="\n")

    def _connect(self, path):
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                client.connect(path)
                return client
            except OSError:
                client.close()
                time.sleep(0.05)
        self.log.seek(0)
        sys.exit("demo: the server did not start; it said:\n" + self.log.read())

    def send(self, requests):
        """Writes all requests at once, so that they meet in one batch."""
        lines = "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in requests)
        self.socket.sendall(lines.encode("utf-8"))

    def events(self):
        for line in self.lines:
            yield json.loads(line)

    def close(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait(timeout=30)
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def request(identifier, question, adapter, chat, max_tokens):
    body = {"id": identifier, "max_tokens": max_tokens, "temperature": 0}
    if chat:
        body["messages"] = [{"role": "user", "content": question}]
    else:
        body["prompt"] = question
    if adapter:
        body["adapter"] = adapter
    return body


def ask_all(server, names, question, chat, max_tokens):
    """Asks the base and every adapter at once; returns {name: done event}."""
    server.send(
        [request(name or "base", question, name, chat, max_tokens) for name in [None, *names]]
    )
    answers = {}
    for event in server.events():
        if event["event"] == "error":
            sys.exit(f"demo: the server answered with an error: {event['message']}")
        if event["event"] == "done":
            answers[event["id"]] = event
            if len(answers) == len(names) + 1:
                return answers
    sys.exit("demo: the server closed the connection before all answers were there")


def side_by_side(columns, width):
    """Prints {title: text} as columns."""
    gap = 3
    each = max(18, (width - gap * (len(columns) - 1)) // len(columns))
    cells = []
    for title, text in columns.items():
        lines = [line for part in text.split("\n") for line in (textwrap.wrap(part, each) or [""])]
        cells.append([title, "─" * each, *lines])
    for row in range(max(map(len, cells))):
        line = (" " * gap).join(
            (cell[row] if row < len(cell) else "").ljust(each) for cell in cells
        )
        print(line.rstrip())


def show(server, names, question, chat, max_tokens):
    answers = ask_all(server, names, question, chat, max_tokens)
    print(f"\n» {question}\n")
    columns = {}
    for name in ["base", *names]:
        done = answers[name]
        used = done["adapter"]
        title = f"{name} ({used[0]['hash'][:8]})" if used else name
        columns[title] = done["text"].strip()
    side_by_side(columns, min(shutil.get_terminal_size((120, 24)).columns, 160))
    server.send([{"op": "stats", "id": "stats"}])
    for event in server.events():
        if event.get("id") == "stats":
            return event
    return {}


def converse(server, names, chat, max_tokens):
    print(
        "\nAsk on: 'law: What is a contract?' goes to the adapter law, 'base: …' to the base, "
        "a line without a name to all. An empty line or Ctrl-D ends."
    )
    while True:
        try:
            line = input("> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if not line:
            return
        name, separator, question = line.partition(":")
        if not separator or name.strip() not in ["base", *names]:
            show(server, names, line, chat, max_tokens)
            continue
        adapter = None if name.strip() == "base" else name.strip()
        server.send([request("ask", question.strip(), adapter, chat, max_tokens)])
        for event in server.events():
            if event["event"] == "token":
                print(event["text"], end="", flush=True)
            elif event["event"] == "error":
                print(event["message"])
                break
            elif event["event"] == "done":
                print()
                break


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graft", required=True)
    parser.add_argument("--base", required=True)
    parser.add_argument("--adapter", action="append", default=[], metavar="name=path")
    parser.add_argument("--question", action="append", required=True)
    parser.add_argument("--max-tokens", type=int, default=48)
    parser.add_argument("--plain", action="store_true", help="continue the text: no chat template")
    parser.add_argument("--once", action="store_true")
    options = parser.parse_args()
    names = [adapter.partition("=")[0] for adapter in options.adapter]
    server = Server(options.graft, options.base, options.adapter)
    try:
        stats = {}
        for question in options.question:
            stats = show(server, names, question, not options.plain, options.max_tokens)
        most = stats.get("steps", {}).get("most_selections")
        if most:
            print(f"\nUp to {most} different selections shared one forward step.")
        if not options.once:
            converse(server, names, not options.plain, options.max_tokens)
    finally:
        server.close()


if __name__ == "__main__":
    main()
