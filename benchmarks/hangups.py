"""Hang up 10,000 calls at random moments, and see what is left; then what a hang-up costs.

python -m benchmarks.hangups [--count 10000] [--round-trip-ms 40]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import ssl
import statistics
import time
from contextlib import aclosing
from pathlib import Path

from benchmarks.link import distant
from fim_lsp.providers.http import HttpProvider
from fim_lsp.providers.mistral import connect
from fim_lsp.settings import NetworkSettings, Settings
from tests.endpoint import Endpoint, Reply
from tests.hangups import REQUEST, ask, complaints, hang_up_often, open_descriptors

TLS = Path(__file__).parent.parent / "tests" / "tls"


def provider_for(url: str, *, is_warm: bool = True) -> HttpProvider:
    """A provider that trusts the tests' authority."""
    network = NetworkSettings(warm_connection=is_warm, ca_bundle=str(TLS / "authority.pem"))
    return connect(Settings(provider="mistral", base_url=url, network=network))


def tls() -> ssl.SSLContext:
    """The loopback endpoint's TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / "good.pem", TLS / "key.pem")
    return context


async def leaks(count: int, *, has_tls: bool) -> None:
    """Print what ``count`` hang-ups leave behind."""
    reply = Reply(text="return a + b\n" * 3, ttft_s=0.003, per_piece_s=0.0005)
    async with Endpoint(reply, tls=tls() if has_tls else None) as endpoint:
        provider = provider_for(endpoint.base_url)
        await ask(provider)
        descriptors = open_descriptors()
        with complaints() as heard:
            started_s = time.perf_counter()
            moments = await hang_up_often(provider, endpoint, count)
            took_s = time.perf_counter() - started_s
            right = sum([await ask(provider) == reply.text for _ in range(100)])
            await asyncio.sleep(0.5)
            left = open_descriptors() - descriptors
        await provider.aclose()
        kind = "TLS" if has_tls else "plain"
        when = ", ".join(f"{number} {moment}" for moment, number in moments.most_common())
        print(
            f"| {kind} | {when} | {right} | {left} | {len(heard)} | {took_s / count * 1e3:.0f} ms |"
        )


async def cost(round_trip_s: float, repeats: int) -> None:
    """Print the time to the first text: warm, and after hang-ups with and without a spare."""
    rows: dict[str, tuple[int, bool]] = {
        "warm connection": (0, True),
        "after a hang-up, spare": (1, True),
        "after 5 hang-ups in 0.5 s, spare": (5, True),
        "after a hang-up, no spare": (1, False),
    }
    async with (
        Endpoint(Reply(text="return a + b", ttft_s=0.1), tls=tls()) as endpoint,
        distant(endpoint.port, round_trip_s) as port,
    ):
        url = f"https://127.0.0.1:{port}/mistral/eu/v1"
        for name, (hang_ups, is_warm) in rows.items():
            provider = provider_for(url, is_warm=is_warm)
            await ask(provider)
            times_s = [await _timed(provider, hang_ups) for _ in range(repeats)]
            await provider.aclose()
            median, worst = statistics.median(times_s) * 1000, max(times_s) * 1000
            print(f"| {name} | {median:.0f} ms | {worst:.0f} ms |")


async def _timed(provider: HttpProvider, hang_ups: int) -> float:
    """Seconds to the first text of a request that follows so many others, each overtaken."""
    await asyncio.sleep(0.4)  # a person types and pauses; a spare has the time to connect
    for _ in range(hang_ups):
        reading = asyncio.create_task(ask(provider))
        await asyncio.sleep(0.1)
        reading.cancel()
    started_s = time.perf_counter()
    async with aclosing(provider.stream(REQUEST)) as chunks:
        await anext(chunks)
        taken_s = time.perf_counter() - started_s
        async for _ in chunks:
            pass
    return taken_s


async def main() -> None:
    """Print the tables."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--count", type=int, default=10_000)
    options.add_argument("--round-trip-ms", type=float, default=40)
    options.add_argument("--repeats", type=int, default=30)
    given = options.parse_args()
    os.environ["ODEUS_API_KEY"] = "test-key"
    print(f"time to the first text, {given.round_trip_ms:g} ms round trip, 100 ms of thinking")
    print("| | median | worst |\n|---|---|---|")
    await cost(given.round_trip_ms / 1000, given.repeats)
    print(f"\n{given.count} hang-ups, then 100 normal requests")
    print("| | hung up while | of 100 right | descriptors lost | warnings | each |")
    print("|---|---|---|---|---|---|")
    for has_tls in (False, True):
        await leaks(given.count // 2, has_tls=has_tls)


if __name__ == "__main__":
    asyncio.run(main())
