"""The plainest way to ask once a second: sleep to the next second, send, forget. `python -m bench.sleeper`.

Told base URL, keys and the place in the second on stdin; beside it the daemon's punctuality is measured.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import time
from urllib.parse import urlencode

import requests

PATH = "/sapi/v3/asset/getUserAsset"


def main() -> None:
    """Ask at the same place of every second until the process is ended."""
    told = json.load(sys.stdin)
    session = requests.Session()
    while True:
        place = told["place_s"]
        time.sleep(1 - (time.time() - place) % 1)
        query = urlencode({"needBtcValuation": "true", "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(told["api_secret"].encode(), query.encode(), hashlib.sha256).hexdigest()
        url = f"{told['base_url']}{PATH}?{query}&signature={signature}"
        session.post(url, headers={"X-MBX-APIKEY": told["api_key"]}, timeout=10)


if __name__ == "__main__":
    main()
