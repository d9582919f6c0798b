"""Other programs' ways to ask for balances, at a given pace: `python bench/paced.py KIND`, told the rest on stdin.

Needs nothing but the standard library and the client that it tries, for it runs in that client's own environment.
Prints one line of JSON: how many calls were answered, at which rate, and what one cost in CPU time of this process.
"""

import hashlib
import hmac
import importlib.metadata
import json
import resource
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any
from urllib.parse import urlencode

PATH = "/sapi/v3/asset/getUserAsset"
WARM_S = 1.5
Ask = Callable[[], Any]


def bare(base_url: str, key: str, secret: str) -> Ask:
    """requests.post and json.loads, as in the first lines of many scripts."""
    requests = import_module("requests")

    def ask() -> Any:
        query = urlencode({"needBtcValuation": "true", "timestamp": time.time_ns() // 1_000_000})
        signature = hmac.new(secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        url = f"{base_url}{PATH}?{query}&signature={signature}"
        return json.loads(requests.post(url, headers={"X-MBX-APIKEY": key}, timeout=30).text)

    return ask


def ccxt(base_url: str, key: str, secret: str) -> Ask:
    """https://github.com/ccxt/ccxt"""
    exchange = import_module("ccxt").binance({"apiKey": key, "secret": secret, "enableRateLimit": False})
    exchange.urls["api"]["sapiV3"] = f"{base_url}/sapi/v3"
    return lambda: exchange.sapiV3PostAssetGetUserAsset({"needBtcValuation": True})


def python_binance(base_url: str, key: str, secret: str) -> Ask:
    """https://github.com/sammchardy/python-binance"""
    client = import_module("binance.client").Client(key, secret, ping=False)
    client.API_URL, client.MARGIN_API_URL = f"{base_url}/api", f"{base_url}/sapi"
    return lambda: client.get_user_asset(needBtcValuation="true")


def binance_connector(base_url: str, key: str, secret: str) -> Ask:
    """https://github.com/binance/binance-connector-python (the older package)"""
    client = import_module("binance.spot").Spot(api_key=key, api_secret=secret, base_url=base_url)
    return lambda: client.user_asset(needBtcValuation="true")


def binance_sdk_wallet(base_url: str, key: str, secret: str) -> Ask:
    """https://github.com/binance/binance-connector-python (the newer packages)"""
    rest = import_module("binance_common.configuration").ConfigurationRestAPI
    configuration = rest(api_key=key, api_secret=secret, base_path=base_url)
    wallet = import_module("binance_sdk_wallet.wallet").Wallet(config_rest_api=configuration)
    return lambda: wallet.rest_api.user_asset(need_btc_valuation=True).data()


KINDS: dict[str, Callable[[str, str, str], Ask]] = {
    "requests": bare,
    "ccxt": ccxt,
    "python-binance": python_binance,
    "binance-connector": binance_connector,
    "binance-sdk-wallet": binance_sdk_wallet,
}


def cpu_s() -> float:
    """What this process has used, in user and system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def paced(makers: list[Ask], rate: float, seconds: float) -> dict[str, Any]:
    """Call at this rate, each thread with a client of its own, as a program for many accounts has to."""
    free = threading.local()
    answered, failed = 0, ""
    lock = threading.Lock()

    def take() -> None:
        free.ask = makers.pop()

    def one() -> None:
        nonlocal answered, failed
        try:
            rows = free.ask()
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a failed call
            failed = repr(error)[:200]
            return
        with lock:
            answered += len(rows) > 0

    with ThreadPoolExecutor(len(makers), initializer=take) as pool:
        for _ in range(3 * len(makers)):  # connected and warm
            pool.submit(one)
        time.sleep(WARM_S)
        answered, start, before = 0, time.monotonic(), cpu_s()
        for number in range(int(rate * seconds)):
            time.sleep(max(0.0, start + number / rate - time.monotonic()))
            pool.submit(one)
        pool.shutdown()
        took, used = time.monotonic() - start, cpu_s() - before
    return {
        "answered": answered,
        "a_minute": round(answered * 60 / took, 1),
        "cpu_ms_per_call": round(used * 1000 / answered, 2) if answered else None,
        "failed": failed,
    }


def main() -> None:
    """Read what to do from stdin, do it, print what came of it."""
    kind, told = sys.argv[1], json.load(sys.stdin)
    makers = [KINDS[kind](told["base_url"], one["api_key"], one["api_secret"]) for one in told["accounts"]]
    found = paced(makers, told["rate"], told["seconds"])
    print(json.dumps({"name": kind, "version": importlib.metadata.version(kind), **found}))


if __name__ == "__main__":
    main()
