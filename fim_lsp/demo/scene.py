"""What the demo types, and what there is to see of it: values without any I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Literal

FILE_NAME = "shop.py"

ABOVE = '''\
"""Customers and orders of a small shop, as rows of a table."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Customer:
    name: str
    email: str
    city: str

    def to_row(self) -> dict[str, str]:
        return {
            "name": self.name,
            "email": self.email,
            "city": self.city,
        }

    @classmethod
    def from_row(cls, row: dict[str, str]) -> "Customer":
        return cls(
            name=row["name"],
            email=row["email"],
            city=row["city"],
        )


@dataclass(frozen=True)
class Order:
    article: str
    customer: str

'''
TYPED = """\
    def to_row(self) -> dict[str, str]:
        return {
            "article": self.article,
            "customer": self.customer,
        }

    @classmethod
    def from_row(cls, row: dict[str, str]) -> "Order":
        return cls(
            article=row["article"],
            customer=row["customer"],
        )


def test_order_survives_a_round_trip() -> None:
    order = Order(article="lamp", customer="Ada")
    assert Order.from_row(order.to_row()) == order
"""
BELOW = """

def test_customer_survives_a_round_trip() -> None:
    customer = Customer(name="Ada", email="ada@example.org", city="Paris")
    assert Customer.from_row(customer.to_row()) == customer
"""

Fate = Literal["accepted", "first lines accepted", "typed past"]


@dataclass(slots=True)
class Tally:
    """What has been counted so far."""

    keys_needed: int
    """How many keys the text takes without any help; a line's end with its indentation is one."""
    keys_typed: int = 0
    shown: int = 0
    accepted: int = 0
    answers_ms: list[float] = field(default_factory=list[float])

    @property
    def keys_saved(self) -> int:
        """Each accept costs a key too."""
        return self.keys_needed - self.keys_typed - self.accepted

    @property
    def usual_ms(self) -> float:
        """The median time from a key to its answer."""
        return median(self.answers_ms) if self.answers_ms else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One moment of the demo."""

    before: str
    """The document up to the cursor."""
    ghost: str
    after: str
    caption: str
    source: str
    """Who answers: the provider and its model."""
    answer_ms: float | None
    way: str
    """How the server came by the answer, in its trace's words; empty without ghost text."""
    budget: str
    """The minute's budget in words; empty where the server does not say."""


def keys_of(text: str) -> list[str]:
    """The keys that type this text: an editor indents a new line by itself."""
    keys: list[str] = []
    for character in text:
        if character == " " and keys and keys[-1].startswith("\n") and not keys[-1].strip():
            keys[-1] += character
        else:
            keys.append(character)
    return keys


def agreed(ghost: str, wanted: str) -> str:
    """How much of the ghost text somebody accepts who wants to write ``wanted``.

    All of it, or its first lines where only they are right, or nothing.
    """
    if wanted.startswith(ghost):
        return ghost
    whole = ""
    for line in ghost.split("\n")[:-1]:
        longer = f"{whole}{line}\n"
        if not wanted.startswith(longer):
            break
        whole = longer
    return whole.rstrip("\n")
