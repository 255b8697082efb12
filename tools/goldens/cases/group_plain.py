"""The adapter that other situations are variants of."""

from cases.common import PLAIN, plain_tensors


def case_plain(case):
    case.add("plain", PLAIN, plain_tensors())
    case.served("plain")
