"""What a person can mend: what was asked, what was found, where, and what to do."""

from __future__ import annotations


class BenchError(Exception):
    def __init__(self, what: str, remedy: str = ""):
        super().__init__(f"{what}; {remedy}" if remedy else what)
