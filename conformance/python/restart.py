"""A server of the trial that is killed and started anew, and a client of one.

python3 restart.py server CONTRACT PORT FOLDER as restart-server.ts python3 restart.py client
CONTRACT PORT COUNT emits so many events in lanes; exits 0 when all are delivered
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path
from typing import Any, List

from trial import LIMITS, handlers, hawser, read_contract


class Store(hawser.Deduplication):
    """The identities of the events that were handled well, in a file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "store"
        self._journal = folder / "journal"
        self._known = set(self._path.read_text().split("\n")) if self._path.exists() else set()

    def seen(self, id: str) -> bool:
        is_known = id in self._known
        if is_known:
            self.write(f"duplicate {id}")
        return is_known

    def remember(self, id: str) -> None:
        self._known.add(id)
        with self._path.open("a") as file:
            file.write(f"{id}\n")

    def knows(self, id: str) -> bool:
        return id in self._known

    def write(self, line: str) -> None:
        with self._journal.open("a") as file:
            file.write(f"{line}\n")


async def serve(contract: hawser.Contract, port: int, folder: Path) -> None:
    store = Store(folder)
    served = handlers(random.Random(port))
    tell = served["keyed"]

    async def told(note: Any, event: Any) -> None:
        await tell(note, event)
        store.write(f"handled {note['key']} {note['n']}{' again' if store.knows(event.id) else ''}")

    server = hawser.Server(contract, {**served, "keyed": told}, limits=LIMITS, deduplication=store)
    print(f"listening on {await server.listen(port=port)}", flush=True)
    await asyncio.Event().wait()  # until it is killed


async def emit(contract: hawser.Contract, port: int, count: int) -> None:
    client = hawser.Client(
        f"tcp://127.0.0.1:{port}",
        contract,
        handlers={"heard": lambda _, __: None},
        limits=LIMITS,
        backoff=lambda _: 0.01,
    )
    while True:
        try:
            await client.connect()
            break
        except OSError:
            await asyncio.sleep(0.01)
    events = [client.emit("keyed", {"key": "abc"[n % 3], "n": n}) for n in range(count)]
    await asyncio.gather(*events)
    print("delivered", flush=True)
    await client.close()


def main(arguments: List[str]) -> int:
    if len(arguments) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    contract = read_contract(arguments[1])
    if arguments[0] == "server":
        asyncio.run(serve(contract, int(arguments[2]), Path(arguments[3])))
    else:
        asyncio.run(emit(contract, int(arguments[2]), int(arguments[3])))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
