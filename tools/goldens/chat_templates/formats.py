"""Chat templates as formats: what stands before and after each role's content.

A format is found by asking the template for a few conversations whose contents are marks, and kept where it writes what
jinja2 writes. `write` does here what Sources/Tokenization/ChatTemplates/ChatFormat.swift does in Graft.
"""

import dataclasses
import os
import re


class Refused(Exception):
    """The template or the format takes no such conversation."""


@dataclasses.dataclass(frozen=True)
class Turn:
    before: str
    after: str
    trims: bool = False


@dataclasses.dataclass(frozen=True)
class InUser:
    """A system message in front of a user message: `before`, system, `after`, message."""
    before: str
    after: str
    trims: bool
    place: str  # firstTurn or lastTurn


@dataclasses.dataclass(frozen=True)
class Format:
    name: str
    opening: str
    without_system: str
    system: object  # Turn, InUser or None
    turns: tuple  # ((role, Turn), …)
    trims_system_with_user: bool
    alternates: bool
    generation: str
    omits_empty_system: bool = False
    needs_turn: bool = False
    prompts_after_answer: bool = True
    needs_beginning: bool = False
    needs_end: bool = False


def write(found, messages):
    if not messages:
        raise Refused
    turns = dict(found.turns)
    rest, text, inside = messages, found.opening, None
    if messages[0]["role"] == "system":
        content = messages[0]["content"]
        rest = messages[1:]
        if found.system is None:
            raise Refused
        content = content.strip() if found.system.trims else content
        if not rest and found.needs_turn:
            raise Refused
        if not content and found.omits_empty_system:
            pass
        elif isinstance(found.system, Turn):
            text += found.system.before + content + found.system.after
        else:
            inside = found.system.before + content + found.system.after
            if not rest:
                raise Refused
    else:
        text += found.without_system
    place = len(rest) - 1 if inside is not None and found.system.place == "lastTurn" else 0
    for index, message in enumerate(rest):
        if found.alternates and message["role"] != ["user", "assistant"][index % 2]:
            raise Refused
        if message["role"] not in turns:
            raise Refused
        turn, content = turns[message["role"]], message["content"]
        if inside is not None and index == place and message["role"] == "user":
            content = ((inside + content).strip() if found.trims_system_with_user
                       else inside + (content.strip() if turn.trims else content))
        elif turn.trims:
            content = content.strip()
        text += turn.before + content + turn.after
    if messages[-1]["role"] == "assistant" and not found.prompts_after_answer:
        return text
    return text + found.generation


def message(role, content):
    return {"role": role, "content": content}


S, U, A, V, T = "Qsystemq", "Quserq", "Qanswerq", "Qlaterq", "Qtoolq"


def between(text, *marks):
    """The texts around the marks, which stand in this order and once each."""
    parts = []
    for mark in marks:
        before, found, text = text.partition(mark)
        if not found or mark in text:
            raise Refused
        parts.append(before)
    return parts + [text]


def without_end(text, end):
    if not text.endswith(end):
        raise Refused
    return text[:len(text) - len(end)] if end else text


def without_start(text, start):
    if not text.startswith(start):
        raise Refused
    return text[len(start):]


def shared_start(first, second):
    """What both begin with, less a marker that begins the next turn."""
    text = os.path.commonprefix([first, second])
    if first == text or second == text:
        return text
    text = re.sub(r"<\|?[a-z_]*$", "", text)
    markers = list(re.finditer(r"<[^<>\s]+>", text))
    if len(markers) > 1 and markers[-1].end() == len(text):
        text = text[:markers[-1].start()]
    return text


def trimmed(render, messages, index):
    """Whether the content of one message loses white space at both ends."""
    padded = [dict(each) for each in messages]
    padded[index]["content"] = " \n " + padded[index]["content"] + " \t\n"
    plain, text = render(messages), render(padded)
    if text == plain:
        return True
    if text == plain.replace(messages[index]["content"], padded[index]["content"]):
        return False
    raise Refused


def family(text):
    for marks, name in [
            (["<|im_start|>"], "ChatML"), (["<|start_header_id|>"], "Llama 3"), (["<start_of_turn>"], "Gemma"),
            (["<<SYS>>"], "Llama 2"), (["[INST]"], "Mistral"), (["<|user|>", "<|end|>"], "Phi-3"), (["<|user|>"], "Zephyr"),
            (["<|start_of_role|>"], "Granite"), (["GPT4 Correct"], "OpenChat"), (["USER:"], "Vicuna"),
            (["### Instruction"], "Alpaca"), (["### User"], "SOLAR"), (["<|START_OF_TURN_TOKEN|>"], "Command R")]:
        if all(mark in text for mark in marks):
            return name
    return "plain"


def infer(render, prompts_after_answer=True):
    """The format that a template seems to have; `render` raises `Refused` where the template does.

    `prompts_after_answer`: whether an answer may be asked for behind an answer.
    """
    user, later = message("user", U), message("user", V)
    answer, system, tool = message("assistant", A), message("system", S), message("tool", T)
    first, end = between(render([user]), U)
    start, to_answer, to_user, last = between(render([user, answer, later]), U, A, V)
    if start != first or last != end:
        raise Refused
    _, _, closed = between(render([user, answer]), U, A)
    if prompts_after_answer:
        after_answer = shared_start(to_user, closed)
        generation = without_start(closed, after_answer)
        after_user = without_end(end, generation)
    else:
        after_answer, after_user = closed, shared_start(end, to_user)
        generation = without_start(end, after_user)
    user_turn = Turn(without_start(to_user, after_answer), after_user, trimmed(render, [user, answer, later], 2))
    answer_turn = Turn(
        without_start(to_answer, after_user), after_answer, trimmed(render, [user, answer, later], 1))
    start = without_end(first, user_turn.before)
    opening = "{bos}" if start.startswith("{bos}") else ""
    turns = {"user": user_turn, "assistant": answer_turn}
    place, together = None, False
    try:
        place, together = infer_system(render, opening, user_turn)
    except Refused:
        pass
    for role, other in [("system", system), ("tool", tool)]:
        try:
            conversation = [user, answer, other, later]
            _, _, before, after, _ = between(render(conversation), U, A, other["content"], V)
            turns[role] = Turn(
                without_start(before, after_answer), without_end(after, user_turn.before),
                trimmed(render, conversation, 2))
        except Refused:
            pass
    try:
        render([user, later])
        alternates = False
    except Refused:
        alternates = True
    found = Format(
        "", opening, without_start(start, opening), place, tuple(sorted(turns.items())), together, alternates, generation,
        prompts_after_answer=prompts_after_answer)
    return dataclasses.replace(found, name=family(repr(found)))


def infer_system(render, opening, user_turn):
    user, later = message("user", U), message("user", V)
    answer, system = message("assistant", A), message("system", S)
    start, inner, _ = between(render([system, user]), S, U)
    trims = trimmed(render, [system, user], 0)
    start = without_start(start, opening)
    if inner.endswith(user_turn.before) and not start.startswith(user_turn.before or "\0"):
        return Turn(start, without_end(inner, user_turn.before), trims), False
    before = without_start(start, user_turn.before)
    text = render([system, user, answer, later])
    place = "firstTurn" if text.index(S) < text.index(U) else "lastTurn"
    padded = render([message("system", S), message("user", " " + U)])
    together = user_turn.trims and f"{inner} {U}" in padded
    return InUser(before, inner, trims, place), together
