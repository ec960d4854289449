"""A worker that takes its tasks over HTTP. It needs Python 3.9 or later, and nothing else.

    CGCG_URL=http://127.0.0.1:8000 CGCG_TOKEN=cgk1_… python3 worker.py default

It does tasks called `text.upper`: {"text": "ab"} becomes {"text": "AB"}. Put your own into HANDLERS. It ends in order
on SIGTERM or Ctrl-C: what it has is given back, or finished.
"""

import json
import os
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

API = os.environ.get("CGCG_URL", "http://127.0.0.1:8000") + "/api/v1"
TOKEN = os.environ.get("CGCG_TOKEN") or sys.exit("CGCG_TOKEN is not set: an API key with tasks:work, or an access token")
# New at each start, so that nothing of an earlier life is taken for its own.
WORKER = f"py-{os.getpid()}-{uuid.uuid4().hex[:12]}"
# An answer to a call that waits 30 s comes in that time.
PATIENCE = 45

stopping = threading.Event()


class Lost(Exception):
    """The lease is over: another worker may have the task."""


class Refused(Exception):
    """The token is wrong, has run out, or lacks `tasks:work`."""


class Dead(Exception):
    """Trying again would not help."""


def call(path, body):
    request = urllib.request.Request(
        API + path,
        json.dumps(body, separators=(",", ":")).encode(),
        {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        if refusal.code in (401, 403):
            raise Refused(f"{API}{path}: {refusal.read().decode(errors='replace')}") from refusal
        raise


class Task:
    """One execution, and a thread that says that it lives."""

    def __init__(self, lease, asked_at):
        self.id, self.lease, self.name = lease["id"], lease["lease"], lease["name"]
        self.payload, self.attempt = lease["payload"], lease["attempt"]
        self.ttl = lease["ttl_ms"] / 1000
        # From before the call, less a sixth: the server counts from after it.
        self.trusted_until = asked_at + self.ttl * 5 / 6
        self.stop, self.done, self.wake = threading.Event(), threading.Event(), threading.Event()
        self.news = None
        self.beats = threading.Thread(target=self.beat, daemon=True)
        self.beats.start()

    def progress(self, pct, msg=""):
        """Is sent within a moment; of several, the newest."""
        self.news = {"pct": pct, "msg": msg}
        self.wake.set()

    def item(self, **more):
        return {"worker": WORKER, "items": [{"id": self.id, "lease": self.lease, **more}]}

    def beat(self):
        while not self.done.wait(0.5):
            self.wake.wait(self.ttl / 3)
            self.wake.clear()
            if self.done.is_set():
                return
            asked_at, more = time.monotonic(), {}
            if self.news is not None:
                more["progress"] = self.news
            try:
                said = call("/leases/heartbeat", self.item(**more))["items"][0]
            except (OSError, Refused) as failure:
                print(f"no heartbeat for {self.id}: {failure}", file=sys.stderr)
                said = {}
            if said.get("ok"):
                self.trusted_until = asked_at + self.ttl * 5 / 6
                if said.get("cancel"):
                    self.stop.set()
            elif said.get("code") == "lease_lost" or time.monotonic() > self.trusted_until:
                self.trusted_until = 0
                self.stop.set()

    def close(self):
        self.done.set()
        self.wake.set()

    def end(self, verb, **more):
        """Says how it ended, for as long as the lease is trusted."""
        while True:
            try:
                said = call(f"/leases/{verb}", self.item(**more))["items"][0]
                break
            except OSError as failure:
                if isinstance(failure, urllib.error.HTTPError) and failure.code < 500 and failure.code != 429:
                    raise
                if time.monotonic() > self.trusted_until:
                    raise Lost from failure
                time.sleep(0.5)
        self.close()
        if said.get("code") == "lease_lost":
            raise Lost
        if not said["ok"]:
            print(f"{self.id}: {verb}: {said}", file=sys.stderr)


def upper(task):
    """The work itself. Look at task.stop now and then where it takes long."""
    if not isinstance(task.payload, dict) or not isinstance(task.payload.get("text"), str):
        raise Dead("expected {\"text\": …}")
    for step in range(task.payload.get("steps", 0)):
        if task.stop.wait(0.05):
            return None
        task.progress(step, "working")
    return {"text": task.payload["text"].upper()}


HANDLERS = {"text.upper": upper}


def outcome(task):
    """How to end it, and with what."""
    try:
        result = HANDLERS[task.name](task)
        return ("release", {}) if task.stop.is_set() else ("complete", {"result": result})
    except Dead as failure:
        return "fail", {"error": str(failure), "dead": True}
    except Exception as failure:  # whatever a handler does, the task runs again
        return "fail", {"error": f"{type(failure).__name__}: {failure}"}


current = None


def stop(*_):
    """What it has is given back where its handler looks at task.stop, and else finished."""
    stopping.set()
    if current is not None:
        current.stop.set()


def run(task):
    global current
    current = task
    if stopping.is_set():
        task.stop.set()
    verb, more = outcome(task)
    try:
        task.end(verb, **more)
    except Lost:
        print(f"{task.id}: the lease is lost; its result is thrown away", file=sys.stderr)
    finally:
        task.close()
        current = None


def main(queues):
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, stop)
    print(f"{WORKER} works on {', '.join(queues)}", flush=True)
    pause = 0.5
    while not stopping.is_set():
        wanted = {
            "worker": WORKER,
            "queues": queues,
            "names": list(HANDLERS),
            "max": 1,
            "wait_s": 5,
        }
        asked_at = time.monotonic()
        try:
            leases, pause = call("/leases", wanted)["items"], 0.5
        except OSError as failure:
            print(f"no work: {failure}", file=sys.stderr)
            said = failure.headers.get("retry-after") if isinstance(failure, urllib.error.HTTPError) else None
            stopping.wait(int(said) if said and said.isdigit() else pause)
            pause = min(2 * pause, 30)
            continue
        for lease in leases:
            run(Task(lease, asked_at))
    print("ended in order", flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:] or ["default"])
    except Refused as refusal:
        sys.exit(f"the token is not accepted; a worker that stays needs an API key\n{refusal}")
